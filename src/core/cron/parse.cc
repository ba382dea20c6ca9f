#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/core.h>

#include "core/cron/cron.h"

namespace orchion::core::cron {

namespace {

constexpr std::size_t kLineBytesMax = 256;

// What one of the five fields may hold.
struct Field {
  const char* name;
  int first;
  int last;
  std::vector<std::string_view> words = {};  // of the numbers from `words_from` on
  int words_from = 0;
};

const std::array<Field, 5>& fields() {
  static const std::array<Field, 5> kFields = {{
      {"minute", 0, 59},
      {"hour", 0, 23},
      {"day of the month", 1, 31},
      {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}, 1},
      {"day of the week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, 0},
  }};
  return kFields;
}

std::unexpected<base::Error> refuse(std::string message) {
  return base::fail(base::Code::kInvalidArgument, std::move(message));
}

std::optional<int> number_of(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

base::Result<int> value_of(const Field& field, std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const auto word = std::find(field.words.begin(), field.words.end(), lower); word != field.words.end())
    return field.words_from + static_cast<int>(word - field.words.begin());
  const auto number = number_of(text);
  if (!number)
    return refuse(fmt::format("\"{}\" is no {}: write {} to {}{}", text, field.name, field.first, field.last,
                              field.words.empty() ? "" : ", or its three letters"));
  if (*number < field.first || *number > field.last)
    return refuse(fmt::format("there is no {} {}: write {} to {}", field.name, *number, field.first, field.last));
  return *number;
}

struct Range {
  int first = 0;
  int last = 0;
};

base::Result<Range> range_of(const Field& field, std::string_view text, bool stepped) {
  if (text == "*") return Range{field.first, field.last};
  const auto dash = text.find('-');
  ASSIGN_OR_RETURN(const int first, value_of(field, text.substr(0, dash)));
  if (dash == std::string_view::npos) {
    if (stepped)
      return refuse(
          fmt::format("the {} {} has a step but is no range: write {}-{}/N", field.name, text, first, field.last));
    return Range{first, first};
  }
  ASSIGN_OR_RETURN(int last, value_of(field, text.substr(dash + 1)));
  if (last == 0 && field.last == 7) last = 7;  // a week may end with Sunday
  if (last < first)
    return refuse(fmt::format("the {} {} runs backwards: write it as two, {}-{},{}-{}", field.name, text, first,
                              field.last == 7 ? 6 : field.last, field.first, last));
  return Range{first, last};
}

// One item of a list: "5", "1-10", "*/15", "mon-fri".
base::Result<> add_item(const Field& field, std::string_view item, std::vector<int>& values) {
  const auto slash = item.find('/');
  const bool stepped = slash != std::string_view::npos;
  int step = 1;
  if (stepped) {
    const auto number = number_of(item.substr(slash + 1));
    if (!number || *number == 0 || *number > field.last)
      return refuse(fmt::format("the {} {} has no step between 1 and {}", field.name, item, field.last));
    step = *number;
  }
  ASSIGN_OR_RETURN(const Range range, range_of(field, item.substr(0, slash), stepped));
  for (int value = range.first; value <= range.last; value += step) values.push_back(value);
  return {};
}

base::Result<std::vector<int>> values_of(const Field& field, std::string_view text) {
  std::vector<int> values;
  while (true) {
    const auto comma = text.find(',');
    const auto item = text.substr(0, comma);
    if (item.empty()) return refuse(fmt::format("the {} has an empty item", field.name));
    RETURN_IF_ERROR(add_item(field, item, values));
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
  }
}

template <std::size_t N>
base::Result<> fill(const Field& field, std::string_view text, std::bitset<N>& set) {
  ASSIGN_OR_RETURN(const auto values, values_of(field, text));
  for (const int value : values) set.set(static_cast<std::size_t>(value) % (field.last == 7 ? 7 : N));
  return {};
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlanks = " \t";
  for (auto begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const auto end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

base::Result<std::string_view> spelled_out(std::string_view word) {
  if (word == "@hourly") return "0 * * * *";
  if (word == "@daily" || word == "@midnight") return "0 0 * * *";
  if (word == "@weekly") return "0 0 * * 0";
  if (word == "@monthly") return "0 0 1 * *";
  if (word == "@yearly" || word == "@annually") return "0 0 1 1 *";
  return refuse(fmt::format("\"{}\" is none of @hourly, @daily, @weekly, @monthly and @yearly", word));
}

constexpr std::array<int, 13> kLongest = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

bool ever_comes(const Line& line) {
  if (line.either_day) return true;
  for (std::size_t month = 1; month <= 12; ++month)
    for (std::size_t day = 1; line.months[month] && day <= static_cast<std::size_t>(kLongest[month]); ++day)
      if (line.days[day]) return true;
  return false;
}

}  // namespace

base::Result<Line> parse(std::string_view text) {
  if (text.size() > kLineBytesMax) return refuse(fmt::format("is longer than {} bytes", kLineBytesMax));
  auto words = words_of(text);
  if (words.size() == 1 && words[0].starts_with('@')) {
    ASSIGN_OR_RETURN(const auto line, spelled_out(words[0]));
    words = words_of(line);
  }
  if (!words.empty() && (words[0].starts_with("TZ=") || words[0].starts_with("CRON_TZ=")))
    return refuse("names a time zone: say it as `time_zone` beside the line");
  if (words.size() != 5)
    return refuse(fmt::format("has {} field{} instead of five: minute, hour, day of the month, month, day of the week",
                              words.size(), words.size() == 1 ? "" : "s"));
  Line line;
  RETURN_IF_ERROR(fill(fields()[0], words[0], line.minutes));
  RETURN_IF_ERROR(fill(fields()[1], words[1], line.hours));
  RETURN_IF_ERROR(fill(fields()[2], words[2], line.days));
  RETURN_IF_ERROR(fill(fields()[3], words[3], line.months));
  RETURN_IF_ERROR(fill(fields()[4], words[4], line.weekdays));
  line.every_hour = words[1].starts_with('*');
  line.either_day = !words[2].starts_with('*') && !words[4].starts_with('*');
  if (!ever_comes(line)) return refuse("is never due: none of its months has such a day");
  return line;
}

}  // namespace orchion::core::cron
