#pragma once

// Tar archives as a stream of entries, with what bounds them. The only place that knows libarchive.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace orchion::node::images {

// What an archive may make of itself; one that exceeds any is kResourceExhausted.
struct ArchiveLimits {
  std::int64_t bytes_max = std::int64_t{64} << 30;  // unpacked
  std::int64_t entries_max = 4'000'000;
  std::int64_t ratio_max = 1000;  // unpacked to packed, once more than `ratio_free_bytes` came out
  std::int64_t ratio_free_bytes = 64 << 20;
  std::int64_t name_bytes_max = 512 << 20;  // of all names together
};

// What one image has used of its limits so far, all its layers together.
struct ArchiveUsage {
  std::int64_t bytes = 0;
  std::int64_t entries = 0;
  std::int64_t name_bytes = 0;
};

enum class EntryType { kFile, kFolder, kSymlink, kHardlink, kCharDevice, kBlockDevice, kFifo, kOther };

// As the archive has it: every field is somebody else's claim.
struct ArchiveEntry {
  std::string path;
  EntryType type = EntryType::kOther;
  std::string link_target;
  std::uint32_t mode = 0;  // permission bits with setuid, setgid and sticky
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t mtime_s = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t size = 0;
  unsigned device_major = 0;
  unsigned device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

enum class Compression { kNone, kGzip, kZstd };

class TarReader {
 public:
  enum class Purpose {
    kList,    // names only: data is skipped where it can be, finish() isn't called
    kUnpack,  // everything is read and hashed
  };

  // A tar, plain or compressed by gzip or zstd. `usage` is added to and must outlive the reader.
  static base::Result<std::unique_ptr<TarReader>> open(const std::filesystem::path& path, Purpose purpose,
                                                       const ArchiveLimits& limits, ArchiveUsage& usage);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // nullopt: the end. kInvalidArgument: it isn't a tar, or is cut off or damaged.
  base::Result<std::optional<ArchiveEntry>> next();

  // A piece of the newest entry's data; holes are left out. Valid until the next call; nullopt: its end.
  struct Block {
    std::int64_t offset = 0;
    std::string_view bytes;
  };
  base::Result<std::optional<Block>> read_block();

  struct Summary {
    std::string packed_digest;    // of the file
    std::string unpacked_digest;  // of the tar in it
    bool has_end_mark = false;    // a tar without its closing zeros was probably cut off
  };
  // Reads what follows the last entry. Once, after next() gave nullopt.
  base::Result<Summary> finish();

  Compression compression() const;

 private:
  struct State;
  explicit TarReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace orchion::node::images
