#include "node/logs/log_tail.h"

#include <algorithm>

namespace orchion::node::logs {

namespace {

// The last lines of the segments from one on.
class Window {
 public:
  Window(const LineFilter& filter, std::int64_t count) : filter_(filter), count_(static_cast<std::size_t>(count)) {}

  base::Result<> read(const std::filesystem::path& folder, const std::vector<std::uint64_t>& numbers,
                      std::size_t from) {
    for (auto i = from; i < numbers.size(); ++i) {
      auto segment = SegmentFile::open(folder, numbers[i]);
      if (!segment && segment.error().code == base::Code::kNotFound) continue;  // removed meanwhile
      if (!segment) return std::unexpected(std::move(segment).error());
      while (true) {
        ASSIGN_OR_RETURN(const bool more, segment->fill(choice_));
        if (!more) break;
        while (const auto record = segment->next())
          tail_.assembler.add(*record, [this](const LineView& line) { keep(line); });
      }
      tail_.segment = *std::move(segment);
      tail_.next_number = numbers[i] + 1;
    }
    return {};
  }

  void flush() {
    tail_.assembler.flush([this](const LineView& line) { keep(line); });
  }

  bool is_enough() const { return tail_.lines.size() >= count_; }

  Tail take() { return std::move(tail_); }

 private:
  void keep(const LineView& line) {
    if (!filter_.accepts(line)) return;
    tail_.lines.push_back(Line::of(line));
    if (tail_.lines.size() > count_) tail_.lines.pop_front();
  }

  const LineFilter& filter_;
  BlockChoice choice_ = [this](const BlockEntry& entry, std::string_view grams) {
    return filter_.may_be_in(entry, grams);
  };
  std::size_t count_;
  Tail tail_;
};

}  // namespace

base::Result<Tail> read_tail(const std::filesystem::path& folder, const LineFilter& filter, std::int64_t count,
                             Unfinished unfinished) {
  ASSIGN_OR_RETURN(const auto numbers, list_segments(folder));
  for (std::size_t segments = 1;; segments *= 2) {
    const auto from = numbers.size() - std::min(segments, numbers.size());
    Window window(filter, count);
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
    ASSIGN_OR_RETURN(const auto begins, segment->begins_at());
    if (!begins || *begins >= since) break;
  }
  // One more than what was begun before: a line's beginning may lie there.
  return numbers.empty() ? 0 : numbers[begun_before < 2 ? 0 : begun_before - 2];
}

}  // namespace orchion::node::logs
