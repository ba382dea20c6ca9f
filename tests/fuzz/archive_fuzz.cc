// libFuzzer target: an arbitrary layer is unpacked, and whatever it says nothing appears beside its folder and what
// it made can be removed again. Run as root, so that devices and owners are tried too.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <span>
#include <string_view>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "node/images/unpack.h"

namespace {

namespace fs = std::filesystem;

// A folder of this process alone: as root it is a tmpfs in a mount namespace of our own, which ends with us.
const fs::path& sandbox() {
  // Never destroyed: the handler below runs after destructors.
  static const fs::path& path = *[] {
    std::string name = (fs::temp_directory_path() / "orchion-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    std::atexit([] {
      (void)::umount2(sandbox().c_str(), MNT_DETACH);
      fs::remove_all(sandbox());
    });
    if (::geteuid() == 0 &&
        (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
         ::mount("fuzz", name.c_str(), "tmpfs", 0, "size=256m") != 0)) {
      std::abort();
    }
    return new fs::path(name);
  }();
  return path;
}

constexpr std::size_t kBlock = 512;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kChecksumSize = 8;
constexpr std::size_t kMagicAt = 257;

// Writes the checksum that a tar header must have, where `block` is one.
void seal(std::span<std::uint8_t> block) {
  if (std::memcmp(&block[kMagicAt], "ustar", 5) != 0) return;
  const auto field = block.subspan(kChecksumAt, kChecksumSize);
  std::memset(field.data(), ' ', field.size());
  const unsigned sum = std::accumulate(block.begin(), block.end(), 0U);
  char text[kChecksumSize];
  std::snprintf(text, sizeof text, "%06o", sum);
  std::memcpy(field.data(), text, kChecksumSize - 1);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

// libFuzzer calls it in place of its own mutations. Without right checksums nothing behind a header would be reached.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned /*seed*/) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, size_max);
  for (std::size_t at = 0; at + kBlock <= mutated; at += kBlock) seal({data + at, kBlock});
  return mutated;
}

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
