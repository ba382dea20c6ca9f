#pragma once

// Segments as files: which there are, and the records in one.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "node/logs/line.h"
#include "node/logs/sealed_segment.h"

namespace orchion::node::logs {

// "00000001.log" → 1; nullopt where it isn't the name of a segment.
std::optional<std::uint64_t> segment_number(const std::string& name);
std::filesystem::path segment_path(const std::filesystem::path& folder, std::uint64_t number);

// Ascending. kNotFound where the folder doesn't exist.
base::Result<std::vector<std::uint64_t>> list_segments(const std::filesystem::path& folder);
base::Result<std::vector<std::uint64_t>> list_segments_in(int folder);

// A folder, open to be read from also when it is moved. kNotFound where there is none.
base::Result<base::UniqueFd> open_folder(const std::filesystem::path& folder);

// Reads one segment's records, also while it is being written, and whether it is sealed or not. After garbage it goes
// on at the next record it recognises. Blocks for as long as the file system takes for 256 KiB.
class SegmentFile {
 public:
  // kNotFound where it has been removed.
  static base::Result<SegmentFile> open(const std::filesystem::path& folder, std::uint64_t number);
  // In a folder that is open: it may be moved meanwhile.
  static base::Result<SegmentFile> open_in(int folder, std::uint64_t number);

  std::uint64_t number() const { return number_; }
  bool is_sealed() const { return sealed_.has_value(); }

  // When what it holds began; nullopt: it holds nothing yet. Reads on where it must.
  base::Result<std::optional<base::WallTime>> begins_at();

  // The next record that is in memory whole; its payload is valid until the next call of anything here.
  std::optional<Record> next();

  // Reads on, past what of a sealed segment `choice` (empty: nothing) leaves out. False: nothing new in the file.
  base::Result<bool> fill(const BlockChoice& choice = {});

 private:
  SegmentFile(base::UniqueFd file, std::uint64_t number) : file_(std::move(file)), number_(number) {}
  static base::Result<SegmentFile> from(base::UniqueFd file, std::uint64_t number);
  bool skip_garbage();

  base::UniqueFd file_;  // where it isn't sealed
  std::optional<SealedSegment> sealed_;
  std::uint64_t number_ = 0;
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace orchion::node::logs
