#include "core/timestamp.h"

#include <algorithm>
#include <charconv>

namespace orchion::core {

namespace {

bool digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  if (text.size() < at + count) return false;
  const auto* first = text.data() + at;
  return std::all_of(first, first + count, [](char c) { return c >= '0' && c <= '9'; }) &&
         std::from_chars(first, first + count, value).ec == std::errc();
}

}  // namespace

std::optional<base::WallTime> parse_timestamp(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!digits(text, 0, 4, year) || !digits(text, 5, 2, month) || !digits(text, 8, 2, day) ||
      !digits(text, 11, 2, hour) || !digits(text, 14, 2, minute) || !digits(text, 17, 2, second))
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // Beyond these years nanoseconds overflow; Go's zero time is one of those.
  if (year < 1700 || year > 2200 || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  base::WallTime time = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                        std::chrono::seconds(second);
  auto rest = text.substr(19);
  if (rest.starts_with('.')) {
    std::int64_t unit = 100'000'000;
    for (rest.remove_prefix(1); !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), unit /= 10)
      time += std::chrono::nanoseconds((rest[0] - '0') * unit);
  }
  if (rest == "Z" || rest == "z") return time;
  int offset_hours = 0, offset_minutes = 0;
  if (rest.size() != 6 || !digits(rest, 1, 2, offset_hours) || !digits(rest, 4, 2, offset_minutes)) return std::nullopt;
  const auto offset = std::chrono::hours(offset_hours) + std::chrono::minutes(offset_minutes);
  return rest[0] == '-' ? time + offset : time - offset;
}

}  // namespace orchion::core
