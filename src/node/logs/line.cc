#include "node/logs/line.h"

#include <cstring>

namespace orchion::node::logs {

namespace {

// Eight bytes at a time: nearly all output is ASCII.
bool is_ascii(std::string_view bytes) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    if (word & kHighBits) return false;
  }
  for (; i < bytes.size(); ++i) {
    if (static_cast<unsigned char>(bytes[i]) & 0x80) return false;
  }
  return true;
}

struct Sequence {
  std::size_t length = 1;  // of the valid sequence, or of the part to replace
  bool valid = false;
};

// At the start of `bytes`. The second byte's range excludes overlong forms, surrogates and what is beyond U+10FFFF.
Sequence decode(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return {1, true};
  std::size_t length = 0;
  unsigned low = 0x80, high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= bytes.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}

}  // namespace

std::string to_utf8(std::string_view bytes) {
  if (is_ascii(bytes)) return std::string(bytes);
  std::string result;
  result.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto sequence = decode(bytes);
    result += sequence.valid ? bytes.substr(0, sequence.length) : std::string_view("\xef\xbf\xbd");
    bytes.remove_prefix(sequence.length);
  }
  return result;
}

std::string_view LineAssembler::clean(std::string_view bytes) {
  if (is_ascii(bytes)) return bytes;
  cleaned_ = to_utf8(bytes);
  return cleaned_;
}

LineView LineAssembler::take(OutputStream stream, std::string_view end, const RecordHeader& header) {
  auto& mine = pending(stream);
  if (!mine.text.empty()) {
    joined_ = std::exchange(mine.text, {});
    joined_.append(end);
    end = joined_;
  }
  if (end.ends_with('\r')) end.remove_suffix(1);
  return {base::WallTime(base::Duration(header.time_ns)), stream, header.attempt, clean(end)};
}

LineView LineAssembler::split_off(OutputStream stream) {
  auto& mine = pending(stream);
  std::size_t cut = kLineBytesMax;
  // Back to where a character begins; bytes that are no characters are cut anywhere.
  for (int i = 0; i < 3 && (static_cast<unsigned char>(mine.text[cut]) & 0xc0) == 0x80; ++i) --cut;
  joined_ = mine.text.substr(0, cut);
  mine.text.erase(0, cut);
  return {mine.time, stream, mine.attempt, clean(joined_)};
}

}  // namespace orchion::node::logs
