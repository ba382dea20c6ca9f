#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "node/logs/segment.h"

namespace orchion::node::logs {

struct SegmentWriterOptions {
  std::int64_t bytes_max = 32 << 20;  // of all segments together; the oldest go first, the newest stays
  std::int64_t segment_bytes = kSegmentBytes;
};

// Writes captured output in the segments' format, for runtimes without a shim and for tests. Blocks; one thread;
// one writer per folder. Begins a new segment, whatever an earlier writer left.
class SegmentWriter {
 public:
  // Makes the folder where there is none.
  static base::Result<SegmentWriter> open(std::filesystem::path folder, SegmentWriterOptions options = {});

  base::Result<> append(OutputStream stream, std::string_view payload, base::WallTime time, std::uint16_t attempt);

 private:
  SegmentWriter(std::filesystem::path folder, SegmentWriterOptions options, std::uint64_t number)
      : folder_(std::move(folder)), options_(options), number_(number) {}
  base::Result<> begin_segment();
  base::Result<> remove_oldest();

  std::filesystem::path folder_;
  SegmentWriterOptions options_;
  std::uint64_t number_ = 0;  // of the newest segment
  base::UniqueFd file_;
  std::int64_t written_ = 0;  // to it
  bool within_line_[2] = {};  // by stream: the last record ended before its line did
  std::uint16_t attempt_ = 0;
};

}  // namespace orchion::node::logs
