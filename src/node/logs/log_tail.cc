#include "node/logs/log_tail.h"

#include <algorithm>

namespace orchion::node::logs {

namespace {

// The lines of the segments from one on, with those marked that may lack their beginning.
class Window {
 public:
  Window(const LineFilter& filter, std::int64_t count, bool whole)
      : filter_(filter), count_(static_cast<std::size_t>(count)), cut_{!whole, !whole} {}

  base::Result<> read(const std::filesystem::path& folder, const std::vector<std::uint64_t>& numbers,
                      std::size_t from) {
    for (auto i = from; i < numbers.size(); ++i) {
      auto segment = SegmentFile::open(folder, numbers[i]);
      if (!segment && segment.error().code == base::Code::kNotFound) continue;  // removed meanwhile
      if (!segment) return std::unexpected(std::move(segment).error());
      while (true) {
        ASSIGN_OR_RETURN(const bool more, segment->fill());
        if (!more) break;
        while (const auto record = segment->next())
          tail_.assembler.add(*record, [this](Line&& line) { keep(std::move(line)); });
      }
      tail_.segment = *std::move(segment);
      tail_.next_number = numbers[i] + 1;
    }
    return {};
  }

  void flush() {
    tail_.assembler.flush([this](Line&& line) { keep(std::move(line)); });
  }

  bool is_enough() const { return lines_.size() >= count_ && cut_lines_ == 0; }

  Tail take() {
    for (auto& [line, cut] : lines_) tail_.lines.push_back(std::move(line));
    return std::move(tail_);
  }

 private:
  // A line that may be cut counts whether it matches or not: whole it might.
  void keep(Line line) {
    const bool cut = std::exchange(cut_[line.stream == OutputStream::kError ? 1 : 0], false);
    if (!cut && !filter_.accepts(line)) return;
    lines_.emplace_back(std::move(line), cut);
    cut_lines_ += cut ? 1 : 0;
    if (lines_.size() <= count_) return;
    cut_lines_ -= lines_.front().second ? 1 : 0;
    lines_.pop_front();
  }

  const LineFilter& filter_;
  std::size_t count_;
  bool cut_[2];
  std::deque<std::pair<Line, bool>> lines_;
  int cut_lines_ = 0;
  Tail tail_;
};

}  // namespace

base::Result<Tail> read_tail(const std::filesystem::path& folder, const LineFilter& filter, std::int64_t count,
                             Unfinished unfinished) {
  ASSIGN_OR_RETURN(const auto numbers, list_segments(folder));
  for (std::size_t segments = 1;; segments *= 2) {
    const auto from = numbers.size() - std::min(segments, numbers.size());
    Window window(filter, count, from == 0);
    RETURN_IF_ERROR(window.read(folder, numbers, from));
    if (unfinished == Unfinished::kCounts) window.flush();
    if (from == 0 || window.is_enough()) return window.take();
  }
}

base::Result<std::uint64_t> first_segment_since(const std::filesystem::path& folder, base::WallTime since) {
  ASSIGN_OR_RETURN(const auto numbers, list_segments(folder));
  std::size_t begun_before = 0;
  for (; begun_before < numbers.size(); ++begun_before) {
    auto segment = SegmentFile::open(folder, numbers[begun_before]);
    if (!segment) continue;
    ASSIGN_OR_RETURN([[maybe_unused]] const bool more, segment->fill());
    const auto first = segment->next();
    if (!first || base::WallTime(base::Duration(first->header.time_ns)) >= since) break;
  }
  // One more than what was begun before: a line's beginning may lie there.
  return numbers.empty() ? 0 : numbers[begun_before < 2 ? 0 : begun_before - 2];
}

}  // namespace orchion::node::logs
