#pragma once

// Segments as files: which there are, and the records in one.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "node/logs/line.h"

namespace orchion::node::logs {

// "00000001.log" → 1; nullopt where it isn't the name of a segment.
std::optional<std::uint64_t> segment_number(const std::string& name);
std::filesystem::path segment_path(const std::filesystem::path& folder, std::uint64_t number);

// Ascending. kNotFound where the folder doesn't exist.
base::Result<std::vector<std::uint64_t>> list_segments(const std::filesystem::path& folder);

// Reads one segment's records, also while it is being written. After garbage it goes on at the next record it
// recognises. Blocks for as long as the file system takes for 256 KiB.
class SegmentFile {
 public:
  // kNotFound where it has been removed.
  static base::Result<SegmentFile> open(const std::filesystem::path& folder, std::uint64_t number);

  std::uint64_t number() const { return number_; }

  // The next record that is in memory whole; its payload is valid until the next call of anything here.
  std::optional<Record> next();

  // Reads on. False: nothing new in the file.
  base::Result<bool> fill();

 private:
  SegmentFile(base::UniqueFd file, std::uint64_t number) : file_(std::move(file)), number_(number) {}
  bool skip_garbage();

  base::UniqueFd file_;
  std::uint64_t number_ = 0;
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace orchion::node::logs
