// libFuzzer target: an arbitrary layer is unpacked, and whatever it says nothing appears beside its folder and what
// it made can be removed again. Run as root, so that devices and owners are tried too.

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <unistd.h>

#include "base/file.h"
#include "node/images/unpack.h"

namespace {

namespace fs = std::filesystem;

const fs::path& sandbox() {
  static const fs::path path = [] {
    std::string name = (fs::temp_directory_path() / "orchion-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    std::atexit([] { fs::remove_all(sandbox()); });
    return fs::path(name);
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto blob = sandbox() / "blob";
  const auto folder = sandbox() / "layer";
  if (!orchion::base::write_file(blob, {reinterpret_cast<const char*>(data), size})) std::abort();
  fs::create_directory(folder);
  const orchion::node::images::ArchiveLimits limits{
      .bytes_max = 16 << 20, .entries_max = 1000, .ratio_free_bytes = 1 << 20, .name_bytes_max = 1 << 20};
  orchion::node::images::ArchiveUsage usage;
  const auto unpacked = orchion::node::images::unpack_layer(blob, folder, limits, usage);
  if (unpacked && usage.entries > limits.entries_max) std::abort();
  if (!orchion::base::remove_tree(folder)) std::abort();
  // Only the blob may be left.
  if (std::distance(fs::directory_iterator(sandbox()), fs::directory_iterator()) != 1) std::abort();
  return 0;
}
