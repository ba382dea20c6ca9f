// Any bytes as a Compose file, beside any bytes as its env file: load() answers or refuses, and what it answers
// renders to a file that loads again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "spec/loader.h"
#include "spec/render.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orchion::spec;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto end = bytes.find('\0');
  MemoryFileSystem files;
  files.files["/p/compose.yaml"] = bytes.substr(0, end);
  if (end != std::string_view::npos) files.files["/p/.env"] = bytes.substr(end + 1);
  LoadOptions options;
  options.working_folder = "/p";
  options.environment = {{"HOME", "/home/me"}, {"A", "a"}};
  const auto stack = load(files, options);
  if (!stack) return 0;
  files.files["/p/compose.yaml"] = render(stack->name, stack->spec);
  if (const auto again = load(files, options); !again) {
    std::cerr << files.files["/p/compose.yaml"] << "\ndoesn't load: " << again.error().message << '\n';
    std::abort();
  }
  return 0;
}
