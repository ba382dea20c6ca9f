// Any bytes as a Compose file, with any bytes as its env file, as a file that it may include or extend from, as one in
// a folder below, and as one laid upon it: load() answers or refuses, and what it answers renders to a file that loads
// again. NUL bytes part the files.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "spec/loader.h"
#include "spec/render.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orchion::spec;
  constexpr std::array<std::string_view, 5> kFiles = {"compose.yaml", ".env", "other.yaml", "below/other.yaml",
                                                      "over.yaml"};
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  MemoryFileSystem files;
  LoadOptions options;
  options.working_folder = "/p";
  options.environment = {{"HOME", "/home/me"}, {"A", "a"}};
  for (const auto name : kFiles) {
    const auto end = bytes.find('\0');
    files.files[std::filesystem::path("/p") / name] = bytes.substr(0, end);
    if (name == kFiles.back()) options.files = {"compose.yaml", "over.yaml"};
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
  }
  const auto stack = load(files, options);
  if (!stack) return 0;
  files.files["/p/compose.yaml"] = render(stack->name, stack->spec);
  options.files = {"compose.yaml"};
  if (const auto again = load(files, options); !again) {
    std::cerr << files.files["/p/compose.yaml"] << "\ndoesn't load: " << again.error().message << '\n';
    std::abort();
  }
  return 0;
}
