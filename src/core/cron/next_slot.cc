#include <absl/time/civil_time.h>
#include <absl/time/time.h>
#include <fmt/core.h>

#include "core/cron/cron.h"

namespace orchion::core::cron {

struct Zone::Rules {
  absl::TimeZone zone;
};

namespace {

constexpr int kYearsAhead = 60;

using absl::CivilDay;
using absl::CivilMinute;

bool matches_day(const Line& line, CivilDay day) {
  if (!line.months[static_cast<std::size_t>(day.month())]) return false;
  // absl counts from Monday, cron from Sunday.
  const auto weekday = (static_cast<std::size_t>(absl::GetWeekday(day)) + 1) % 7;
  const bool by_day = line.days[static_cast<std::size_t>(day.day())];
  const bool by_weekday = line.weekdays[weekday];
  return line.either_day ? by_day || by_weekday : by_day && by_weekday;
}

// The first minute from `from` on that the line names, before `end`; by the clock on the wall, whatever the zone.
std::optional<CivilMinute> next_match(const Line& line, CivilMinute from, CivilMinute end) {
  for (CivilDay day(from); CivilMinute(day) < end; ++day) {
    if (!matches_day(line, day)) continue;
    const bool is_first = day == CivilDay(from);
    for (int hour = is_first ? from.hour() : 0; hour < 24; ++hour) {
      if (!line.hours[static_cast<std::size_t>(hour)]) continue;
      for (int minute = is_first && hour == from.hour() ? from.minute() : 0; minute < 60; ++minute) {
        if (!line.minutes[static_cast<std::size_t>(minute)]) continue;
        const CivilMinute match = CivilMinute(day) + hour * 60 + minute;
        return match < end ? std::optional(match) : std::nullopt;
      }
    }
  }
  return std::nullopt;
}

// The next change of the zone's offset after `time`, as an instant and as what the clocks show before and after it.
struct Shift {
  absl::Time at = absl::InfiniteFuture();
  CivilMinute from = CivilMinute::max();
  CivilMinute to = CivilMinute::max();
};

Shift next_shift(const absl::TimeZone& zone, absl::Time time) {
  absl::TimeZone::CivilTransition transition;
  if (!zone.NextTransition(time, &transition)) return {};
  const auto from = zone.At(transition.from);
  const auto to = zone.At(transition.to);
  Shift shift{from.pre, CivilMinute(transition.from), CivilMinute(transition.to)};
  if (from.kind == absl::TimeZone::TimeInfo::SKIPPED) shift.at = from.trans;
  if (to.kind == absl::TimeZone::TimeInfo::REPEATED) shift.at = to.trans;
  return shift;
}

// Where to look from, by the clock: the minute after `time`; in the second of two equal hours, after them.
CivilMinute first_to_look_at(const Line& line, const absl::TimeZone& zone, absl::Time time) {
  const auto civil = zone.At(time).cs;
  const auto info = zone.At(civil);
  const bool again = info.kind == absl::TimeZone::TimeInfo::REPEATED && time >= info.trans;
  if (!again || line.every_hour) return CivilMinute(civil) + 1;
  const auto before = zone.At(info.trans - absl::Seconds(1)).cs;
  return CivilMinute(before) + 1;
}

}  // namespace

base::Result<Zone> Zone::load(const std::string& name) {
  auto rules = std::make_shared<Rules>();
  // absl takes a path for a zone too; and its own names for what the database doesn't have.
  const bool is_plain = !name.starts_with('/') && !name.starts_with(':') && name.find("..") == std::string::npos &&
                        !name.starts_with("Fixed/") && !name.starts_with("libc:") && name != "localtime";
  if (name.empty()) {
    rules->zone = absl::UTCTimeZone();
  } else if (!is_plain || !absl::LoadTimeZone(name, &rules->zone)) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("there is no time zone \"{}\": write one like Europe/Berlin or UTC", name));
  }
  return Zone(std::move(rules));
}

std::optional<base::WallTime> next_slot(const Line& line, const Zone& zone, base::WallTime after) {
  const auto& rules = zone.rules().zone;
  absl::Time time = absl::FromChrono(std::chrono::floor<std::chrono::minutes>(after));
  CivilMinute look_from = first_to_look_at(line, rules, time);
  const CivilMinute last = CivilMinute(absl::CivilYear(look_from) + kYearsAhead);
  while (look_from < last) {
    const Shift shift = next_shift(rules, time);
    const CivilMinute end = std::min(shift.from, last);
    // Between two shifts the clock runs like any other.
    if (const auto match = next_match(line, look_from, end)) {
      const absl::Duration ahead = absl::Minutes(*match - CivilMinute(rules.At(time).cs));
      return std::chrono::time_point_cast<base::Duration>(absl::ToChronoTime(time + ahead));
    }
    if (shift.from >= last) break;
    if (shift.to > shift.from && !line.every_hour && next_match(line, shift.from, shift.to))
      return std::chrono::time_point_cast<base::Duration>(absl::ToChronoTime(shift.at));
    // Put back: what the clocks show a second time was due the first.
    look_from = line.every_hour ? shift.to : std::max(shift.from, shift.to);
    time = shift.at;
  }
  return std::nullopt;
}

std::optional<base::WallTime> next_slot(const std::vector<Line>& lines, const Zone& zone, base::WallTime after) {
  std::optional<base::WallTime> first;
  for (const auto& line : lines)
    if (const auto slot = next_slot(line, zone, after); slot && (!first || *slot < *first)) first = slot;
  return first;
}

}  // namespace orchion::core::cron
