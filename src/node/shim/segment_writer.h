#pragma once

// Writes captured output as node/logs/segment.h lays it down. No allocation, so that the shim can use it.

#include <cstdint>
#include <string_view>

#include "node/logs/segment.h"

namespace orchion::node::shim {

// The only writer of its folder, for one attempt. A full disk costs the oldest segments first and then the newest
// output; it never costs half a record, and never blocks.
class SegmentWriter {
 public:
  SegmentWriter() = default;
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Goes on where an earlier writer ended; what that left half-written is cut off. 0, or an errno.
  int open(const char* folder, std::int64_t bytes_max);

  // `payload` is at most kPayloadMax long; false where it could not be kept.
  bool append(logs::OutputStream stream, std::uint16_t attempt, std::int64_t time_ns, std::string_view payload);

 private:
  bool write_record(const logs::RecordHeader& header, std::string_view payload);
  bool begin_segment();
  bool append_piece(logs::OutputStream stream, std::uint16_t attempt, std::int64_t time_ns, std::string_view payload);
  bool write_piece(logs::RecordHeader header, std::string_view payload);
  void look_around();
  bool drop_oldest();
  int open_segment(std::uint32_t number, int flags);

  int folder_ = -1;
  int segment_ = -1;
  std::uint32_t oldest_ = 1;
  std::uint32_t newest_ = 0;  // 0: none yet
  std::int64_t segment_size_ = 0;
  std::int64_t segment_size_max_ = logs::kSegmentBytes;
  bool within_line_[2] = {};  // by stream: its last payload ended before its line did
  std::int64_t total_ = 0;
  std::int64_t total_max_ = 0;
};

// How much of a segment is whole records, by their headers.
std::int64_t whole_records(int segment);

}  // namespace orchion::node::shim
