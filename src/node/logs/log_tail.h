#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>

#include "node/logs/line_filter.h"
#include "node/logs/segment_file.h"

namespace orchion::node::logs {

// The newest lines, and where reading goes on after them.
struct Tail {
  std::deque<Line> lines;
  LineAssembler assembler;  // holds what is unfinished
  std::optional<SegmentFile> segment;
  std::uint64_t next_number = 0;
};

enum class Unfinished {
  kWaits,   // a line without its end stays in the assembler
  kCounts,  // it is a line: no more will come
};

// At most `count` lines that `filter` accepts, read from the newest segments backwards: no more of the log is read
// than about twice what is needed. Blocks.
base::Result<Tail> read_tail(const std::filesystem::path& folder, const LineFilter& filter, std::int64_t count,
                             Unfinished unfinished);

// The segment from which all lines since then are seen whole; the first where the clock was turned back.
base::Result<std::uint64_t> first_segment_since(const std::filesystem::path& folder, base::WallTime since);

}  // namespace orchion::node::logs
