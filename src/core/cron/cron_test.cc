#include "core/cron/cron.h"

#include <ctime>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace orchion::core::cron {
namespace {

using testing::HasSubstr;

// "2026-03-29 01:59:59" in UTC.
base::WallTime utc(const std::string& text) {
  std::tm fields{};
  EXPECT_NE(::strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &fields), nullptr) << text;
  return base::WallTime(std::chrono::seconds(::timegm(&fields)));
}

std::string text_of(base::WallTime time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &fields);
  return buffer;
}

std::vector<std::string> slots(const std::string& line, const std::string& zone, const std::string& after, int count) {
  const auto parsed = parse(line);
  const auto loaded = Zone::load(zone);
  EXPECT_TRUE(parsed) << line;
  EXPECT_TRUE(loaded) << zone;
  std::vector<std::string> result;
  if (!parsed || !loaded) return result;
  base::WallTime time = utc(after);
  for (int i = 0; i < count; ++i) {
    const auto next = next_slot(*parsed, *loaded, time);
    if (!next) break;
    EXPECT_GT(*next, time);
    result.push_back(text_of(*next));
    time = *next;
  }
  return result;
}

using Slots = std::vector<std::string>;

TEST(CronParse, RefusesWhatIsNoLine) {
  const std::map<std::string, std::string> cases = {
      {"", "has 0 fields instead of five"},
      {"* * * *", "has 4 fields"},
      {"0 0 3 * * *", "has 6 fields"},
      {"61 * * * *", "there is no minute 61: write 0 to 59"},
      {"* 24 * * *", "there is no hour 24"},
      {"* * 0 * *", "there is no day of the month 0: write 1 to 31"},
      {"* * * 13 *", "there is no month 13"},
      {"* * * * 8", "there is no day of the week 8"},
      {"a * * * *", "\"a\" is no minute: write 0 to 59"},
      {"* * * juni *", "\"juni\" is no month: write 1 to 12, or its three letters"},
      {"-5 * * * *", "\"\" is no minute"},
      {"5- * * * *", "\"\" is no minute"},
      {"1,,2 * * * *", "the minute has an empty item"},
      {"1, * * * *", "the minute has an empty item"},
      {"*/0 * * * *", "has no step between 1 and 59"},
      {"*/60 * * * *", "has no step between 1 and 59"},
      {"*/x * * * *", "has no step"},
      {"5/10 * * * *", "write 5-59/N"},
      {"* 22-2 * * *", "runs backwards: write it as two, 22-23,0-2"},
      {"* * * * fri-mon", "runs backwards"},
      {"99999999999 * * * *", "is no minute"},
      {"0 0 30 2 *", "is never due"},
      {"0 0 31 4,6,9,11 *", "is never due"},
      {"@never", "none of @hourly"},
      {"@reboot", "none of @hourly"},
      {"TZ=Europe/Berlin 0 3 * * *", "say it as `time_zone`"},
      {"CRON_TZ=UTC 0 3 * * *", "say it as `time_zone`"},
      {std::string(300, '*'), "is longer than 256 bytes"},
      {"0 0 * * 1#2", "is no day of the week"},
      {"0 0 L * *", "is no day of the month"},
  };
  for (const auto& [line, reason] : cases) {
    const auto parsed = parse(line);
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().code, base::Code::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr(reason)) << line;
  }
}

TEST(CronParse, ReadsListsRangesStepsAndNames) {
  const auto line = parse("0,30-40/5\t 1-3,22-23  *  JAN,mar-May Mon-Fri,sun");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->minutes.count(), 4U);
  EXPECT_TRUE(line->minutes[0] && line->minutes[30] && line->minutes[35] && line->minutes[40]);
  EXPECT_EQ(line->hours.count(), 5U);
  EXPECT_EQ(line->months.count(), 4U);
  EXPECT_EQ(line->weekdays.count(), 6U);
  EXPECT_FALSE(line->weekdays[6]);
  EXPECT_FALSE(line->either_day);
  EXPECT_FALSE(line->every_hour);
}

TEST(CronParse, SundayIsSevenToo) {
  for (const auto* text : {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun"}) {
    const auto line = parse(text);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->weekdays.to_ulong(), 1U) << text;
  }
  EXPECT_EQ(parse("0 0 * * 5-7")->weekdays.to_ulong(), 0b1100001U);
  EXPECT_EQ(parse("0 0 * * fri-sun")->weekdays.to_ulong(), 0b1100001U);
}

TEST(CronNext, ShortNames) {
  EXPECT_EQ(slots("@hourly", "", "2026-11-22 14:37:26", 2), (Slots{"2026-11-22 15:00:00", "2026-11-22 16:00:00"}));
  EXPECT_EQ(slots("@daily", "", "2026-12-31 00:00:00", 1), Slots{"2027-01-01 00:00:00"});
  EXPECT_EQ(slots("@midnight", "", "2026-12-31 00:00:00", 1), Slots{"2027-01-01 00:00:00"});
  EXPECT_EQ(slots("@weekly", "", "2026-11-22 00:00:00", 1), Slots{"2026-11-29 00:00:00"});
  EXPECT_EQ(slots("@monthly", "", "2026-11-22 00:00:00", 1), Slots{"2026-12-01 00:00:00"});
  EXPECT_EQ(slots("@yearly", "", "2026-11-22 00:00:00", 1), Slots{"2027-01-01 00:00:00"});
  EXPECT_EQ(slots("@annually", "", "2026-11-22 00:00:00", 1), Slots{"2027-01-01 00:00:00"});
}

TEST(CronNext, IsLaterThanTheTimeGiven) {
  EXPECT_EQ(slots("* * * * *", "", "2026-11-22 14:37:00", 1), Slots{"2026-11-22 14:38:00"});
  EXPECT_EQ(slots("* * * * *", "", "2026-11-22 14:37:59", 1), Slots{"2026-11-22 14:38:00"});
}

TEST(CronNext, EitherDayWhereBothAreNamed) {
  // The 13th, and every Friday.
  EXPECT_EQ(slots("0 0 13 * 5", "", "2026-11-08 00:00:00", 4),
            (Slots{"2026-11-13 00:00:00", "2026-11-20 00:00:00", "2026-11-27 00:00:00", "2026-12-04 00:00:00"}));
  // "*/2" begins with a star: both must hold.
  EXPECT_EQ(slots("0 0 */2 * 5", "", "2026-11-08 00:00:00", 2), (Slots{"2026-11-13 00:00:00", "2026-11-27 00:00:00"}));
}

TEST(CronNext, LeapDay) {
  EXPECT_EQ(slots("30 12 29 2 *", "", "2096-03-01 00:00:00", 2), (Slots{"2104-02-29 12:30:00", "2108-02-29 12:30:00"}));
}

TEST(CronNext, FollowsTheZone) {
  EXPECT_EQ(slots("0 3 * * *", "Asia/Kolkata", "2026-11-22 00:00:00", 1), Slots{"2026-11-22 21:30:00"});
  EXPECT_EQ(slots("0 3 * * *", "America/New_York", "2026-11-22 00:00:00", 1), Slots{"2026-11-22 08:00:00"});
}

// Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
TEST(CronNext, AFixedHourInTheGapIsDueRightAfterIt) {
  EXPECT_EQ(slots("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00", 2),
            (Slots{"2026-03-29 01:00:00", "2026-03-30 00:30:00"}));
  // Several in the gap, and the one that is due then anyway, are one.
  EXPECT_EQ(slots("*/20 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00:00", 4),
            (Slots{"2026-03-29 01:00:00", "2026-03-29 01:20:00", "2026-03-29 01:40:00", "2026-03-30 00:00:00"}));
}

TEST(CronNext, EveryHourGoesOnThroughTheGap) {
  EXPECT_EQ(slots("30 * * * *", "Europe/Berlin", "2026-03-29 00:00:00", 3),
            (Slots{"2026-03-29 00:30:00", "2026-03-29 01:30:00", "2026-03-29 02:30:00"}));
}

// Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
TEST(CronNext, AFixedHourThatComesTwiceIsDueOnce) {
  EXPECT_EQ(slots("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00:00", 2),
            (Slots{"2026-10-25 00:30:00", "2026-10-26 01:30:00"}));
  // Asked in the second of the two hours.
  EXPECT_EQ(slots("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00", 1), Slots{"2026-10-26 01:30:00"});
  EXPECT_EQ(slots("0 3 * * *", "Europe/Berlin", "2026-10-25 01:10:00", 1), Slots{"2026-10-25 02:00:00"});
}

TEST(CronNext, EveryHourGoesOnThroughBothHours) {
  EXPECT_EQ(slots("*/30 * * * *", "Europe/Berlin", "2026-10-25 00:00:00", 4),
            (Slots{"2026-10-25 00:30:00", "2026-10-25 01:00:00", "2026-10-25 01:30:00", "2026-10-25 02:00:00"}));
}

TEST(CronNext, AShiftOfHalfAnHour) {
  // Lord Howe, 2026-10-04: 02:00 (+10:30) becomes 02:30 (+11) at 15:30 UTC of the 3rd.
  EXPECT_EQ(slots("10 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00:00", 2),
            (Slots{"2026-10-03 15:30:00", "2026-10-04 15:10:00"}));
}

TEST(CronNext, ADayThatNeverWas) {
  // Samoa went from the 29th to the 31st of December 2011.
  EXPECT_EQ(slots("0 12 30 12 *", "Pacific/Apia", "2011-12-01 00:00:00", 2),
            (Slots{"2011-12-30 10:00:00", "2012-12-29 22:00:00"}));
}

TEST(CronNext, OfSeveralLinesTheNext) {
  const auto zone = Zone::load("UTC");
  ASSERT_TRUE(zone);
  const std::vector<Line> lines = {*parse("0 3 * * *"), *parse("0 */3 * * *")};
  EXPECT_EQ(text_of(*next_slot(lines, *zone, utc("2026-11-22 00:00:00"))), "2026-11-22 03:00:00");
  EXPECT_EQ(text_of(*next_slot(lines, *zone, utc("2026-11-22 03:00:00"))), "2026-11-22 06:00:00");
  EXPECT_FALSE(next_slot(std::vector<Line>(), *zone, utc("2026-11-22 03:00:00")));
}

TEST(CronZone, WhatThereIs) {
  EXPECT_TRUE(Zone::load(""));
  EXPECT_TRUE(Zone::load("UTC"));
  EXPECT_TRUE(Zone::load("Europe/Berlin"));
  for (const auto* name : {"Mars/Olympus", "/etc/localtime", "../zoneinfo/UTC", "Fixed/UTC+01:00:00", "localtime",
                           "libc:localtime", "Europe/"}) {
    const auto zone = Zone::load(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_THAT(zone.error().message, HasSubstr("there is no time zone")) << name;
  }
}

// Against the plainest way: every minute of some days, asked one by one.
std::set<std::string> minute_by_minute(const Line& line, base::WallTime from, base::WallTime to) {
  std::set<std::string> result;
  for (auto time = from + std::chrono::minutes(1); time <= to; time += std::chrono::minutes(1)) {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
    std::tm fields{};
    ::gmtime_r(&seconds, &fields);
    const bool day = line.days[static_cast<std::size_t>(fields.tm_mday)];
    const bool weekday = line.weekdays[static_cast<std::size_t>(fields.tm_wday)];
    if (line.minutes[static_cast<std::size_t>(fields.tm_min)] && line.hours[static_cast<std::size_t>(fields.tm_hour)] &&
        line.months[static_cast<std::size_t>(fields.tm_mon) + 1] && (line.either_day ? day || weekday : day && weekday))
      result.insert(text_of(time));
  }
  return result;
}

std::string random_field(base::Random& random, int first, int last) {
  const auto pick = [&](int low, int high) {
    return low + static_cast<int>(random.next() % static_cast<std::uint64_t>(high - low + 1));
  };
  switch (pick(0, 4)) {
    case 0: return "*";
    case 1: return "*/" + std::to_string(pick(1, last));
    case 2: return std::to_string(pick(first, last)) + "," + std::to_string(pick(first, last));
    case 3: {
      const int low = pick(first, last);
      return std::to_string(low) + "-" + std::to_string(pick(low, last)) + "/" + std::to_string(pick(1, 5));
    }
    default: return std::to_string(pick(first, last));
  }
}

TEST(CronNext, AgreesWithLookingAtEveryMinute) {
  const auto zone = Zone::load("UTC");
  ASSERT_TRUE(zone);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    base::Random random(seed);
    const std::string text = random_field(random, 0, 59) + " " + random_field(random, 0, 23) + " " +
                             random_field(random, 1, 28) + " " + random_field(random, 1, 12) + " " +
                             random_field(random, 0, 6);
    const auto line = parse(text);
    ASSERT_TRUE(line) << text;
    const auto from = utc("2026-01-01 00:00:00") + std::chrono::hours(24 * (random.next() % 365));
    const auto to = from + std::chrono::hours(24 * 40);
    std::set<std::string> found;
    for (auto slot = next_slot(*line, *zone, from); slot && *slot <= to; slot = next_slot(*line, *zone, *slot))
      found.insert(text_of(*slot));
    EXPECT_EQ(found, minute_by_minute(*line, from, to)) << text << ", seed " << seed;
  }
}

// In any zone: slots come in order, and asking from any time between two gives the second.
TEST(CronNext, IsTheSameFromAnywhereBetweenTwoSlots) {
  for (const auto* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran", "UTC"}) {
    const auto zone = Zone::load(name);
    ASSERT_TRUE(zone);
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      base::Random random(seed);
      const auto line = parse(random_field(random, 0, 59) + " " + random_field(random, 0, 23) + " * * *");
      ASSERT_TRUE(line);
      auto time = utc("2026-03-20 00:00:00");
      for (int i = 0; i < 300; ++i) {
        const auto slot = next_slot(*line, *zone, time);
        ASSERT_TRUE(slot);
        const auto gap = std::chrono::duration_cast<std::chrono::seconds>(*slot - time).count();
        const auto between = time + std::chrono::seconds(random.next() % static_cast<std::uint64_t>(gap));
        EXPECT_EQ(text_of(*next_slot(*line, *zone, between)), text_of(*slot)) << name << ", seed " << seed;
        time = *slot;
      }
    }
  }
}

}  // namespace
}  // namespace orchion::core::cron
