// Strings and times as JSON has them.

#include <chrono>

#include "control/serving/json_printer.h"

namespace orchion::control::serving {

namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_escaped(unsigned char c, std::string& out) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

void append_digits(std::uint64_t value, int width, std::string& out) {
  char digits[20];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(digits, static_cast<std::size_t>(width));
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t clean = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text, clean, i - clean);
    append_escaped(c, out);
    clean = i + 1;
  }
  out.append(text, clean, text.size() - clean);
  out += '"';
}

void append_fraction(std::int32_t nanos, std::string& out) {
  if (nanos == 0) return;
  out += '.';
  if (nanos % 1'000'000 == 0) {
    append_digits(static_cast<std::uint64_t>(nanos / 1'000'000), 3, out);
  } else if (nanos % 1'000 == 0) {
    append_digits(static_cast<std::uint64_t>(nanos / 1'000), 6, out);
  } else {
    append_digits(static_cast<std::uint64_t>(nanos), 9, out);
  }
}

void append_timestamp(std::int64_t seconds, std::int32_t nanos, std::string& out) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  append_digits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, out);
  out += '-';
  append_digits(static_cast<unsigned>(date.month()), 2, out);
  out += '-';
  append_digits(static_cast<unsigned>(date.day()), 2, out);
  out += 'T';
  append_digits(static_cast<std::uint64_t>(clock.hours().count()), 2, out);
  out += ':';
  append_digits(static_cast<std::uint64_t>(clock.minutes().count()), 2, out);
  out += ':';
  append_digits(static_cast<std::uint64_t>(clock.seconds().count()), 2, out);
  append_fraction(nanos, out);
  out += 'Z';
}

}  // namespace orchion::control::serving
