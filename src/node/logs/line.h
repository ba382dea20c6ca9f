#pragma once

// What a container said, as lines.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "node/logs/segment.h"

namespace orchion::node::logs {

// `text` belongs to whoever gave it, until it gives the next.
struct LineView {
  base::WallTime time;  // when its end was captured
  OutputStream stream = OutputStream::kOut;
  std::uint16_t attempt = 0;
  std::string_view text;  // valid UTF-8, without its line end; escapes for terminals are kept
};

struct Line {
  base::WallTime time;
  OutputStream stream = OutputStream::kOut;
  std::uint16_t attempt = 0;
  std::string text;

  static Line of(const LineView& view) { return {view.time, view.stream, view.attempt, std::string(view.text)}; }
  LineView view() const { return {time, stream, attempt, text}; }
  bool operator==(const Line&) const = default;
};

// Many lines, in one piece of memory.
class Lines {
 public:
  void add(const LineView& line) {
    text_ += line.text;
    marks_.push_back({line.time, text_.size(), line.attempt, line.stream});
  }
  LineView operator[](std::size_t index) const {
    const auto begin = index == 0 ? 0 : marks_[index - 1].end;
    const auto& mark = marks_[index];
    return {mark.time, mark.stream, mark.attempt, std::string_view(text_).substr(begin, mark.end - begin)};
  }
  std::size_t size() const { return marks_.size(); }
  bool empty() const { return marks_.empty(); }

 private:
  struct Mark {
    base::WallTime time;
    std::size_t end = 0;  // of its text
    std::uint16_t attempt = 0;
    OutputStream stream = OutputStream::kOut;
  };
  std::string text_;
  std::vector<Mark> marks_;
};

// A longer line is split; characters are not.
constexpr std::size_t kLineBytesMax = 64u << 10;

// A record of a segment. `payload` belongs to whoever read it.
struct Record {
  RecordHeader header;
  std::string_view payload;
};

// Records → lines: pieces of one stream are joined, streams aren't mixed. "\n" ends a line, and a "\r" right before
// it goes too, as terminals write both. Bytes that aren't UTF-8 become U+FFFD. The rest of a line whose beginning was
// never given is passed over. Pure.
class LineAssembler {
 public:
  // Calls `emit(const LineView&)` for each line that the record completes.
  template <class Emit>
  void add(const Record& record, Emit emit);

  // The rest, unfinished lines: at the end, or when another attempt begins.
  template <class Emit>
  void flush(Emit emit);

 private:
  struct Pending {
    std::string text;
    base::WallTime time;
    std::uint16_t attempt = 0;
  };

  LineView take(OutputStream stream, std::string_view end, const RecordHeader& header);
  LineView split_off(OutputStream stream);
  std::string_view clean(std::string_view bytes);
  Pending& pending(OutputStream stream) { return pending_[stream == OutputStream::kError ? 1 : 0]; }

  Pending pending_[2];
  std::string joined_;  // what the view given last is of, where it isn't of the record
  std::string cleaned_;
};

// `bytes` with every invalid sequence replaced by U+FFFD, as the Unicode standard recommends (one for each maximal
// part of one). Source: Unicode 15, section 3.9
std::string to_utf8(std::string_view bytes);

template <class Emit>
void LineAssembler::add(const Record& record, Emit emit) {
  const auto& header = record.header;
  if (header.attempt != pending_[0].attempt || header.attempt != pending_[1].attempt) {
    flush(emit);
    pending_[0].attempt = pending_[1].attempt = header.attempt;
  }
  auto& mine = pending(header.stream);
  auto rest = record.payload;
  if (header.continues != 0 && mine.text.empty()) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return;
    rest.remove_prefix(end + 1);
  }
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto piece = rest.substr(0, end);
    // Whole lines of usual length, the common case, are never copied twice.
    if (end != std::string_view::npos && mine.text.size() + piece.size() <= kLineBytesMax) {
      emit(take(header.stream, piece, header));
    } else {
      mine.text.append(piece);
      mine.time = base::WallTime(base::Duration(header.time_ns));
      while (mine.text.size() > kLineBytesMax) emit(split_off(header.stream));
      if (end != std::string_view::npos) emit(take(header.stream, {}, header));
    }
    if (end == std::string_view::npos) return;
    rest.remove_prefix(end + 1);
  }
}

template <class Emit>
void LineAssembler::flush(Emit emit) {
  for (const auto stream : {OutputStream::kOut, OutputStream::kError}) {
    auto& mine = pending(stream);
    if (mine.text.empty()) continue;
    joined_ = std::exchange(mine.text, {});
    emit(LineView{mine.time, stream, mine.attempt, clean(joined_)});
  }
}

}  // namespace orchion::node::logs
