#include "control/controllers/job_slots.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "core/timestamps.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const base::WallTime kMidnight{seconds(1767225600)};  // 2026-01-01

v1::JobSchedule schedule(const std::string& line, seconds deadline = seconds(60)) {
  v1::JobSchedule made;
  made.add_cron(line);
  made.set_time_zone("UTC");
  made.mutable_starting_deadline()->set_seconds(deadline.count());
  return made;
}

TEST(DueSlots, NothingBeforeItsTime) {
  const auto due = due_slots(schedule("0 3 * * *"), kMidnight, kMidnight + hours(3) - seconds(1));
  EXPECT_TRUE(due.to_begin.empty());
  EXPECT_TRUE(due.missed.empty());
  EXPECT_EQ(due.seen_until, kMidnight);
  EXPECT_EQ(due.next, kMidnight + hours(3));
}

TEST(DueSlots, OneThatIsDueIsSeenOnce) {
  const auto due = due_slots(schedule("0 3 * * *"), kMidnight, kMidnight + hours(3) + seconds(5));
  EXPECT_EQ(due.to_begin, std::vector{kMidnight + hours(3)});
  EXPECT_EQ(due.seen_until, kMidnight + hours(3));
  EXPECT_EQ(due.next, kMidnight + hours(27));
  const auto again = due_slots(schedule("0 3 * * *"), due.seen_until, kMidnight + hours(3) + seconds(6));
  EXPECT_TRUE(again.to_begin.empty());
  EXPECT_EQ(again.seen_until, due.seen_until);
}

TEST(DueSlots, TooLateIsMissed) {
  const auto due = due_slots(schedule("0 3 * * *"), kMidnight, kMidnight + hours(3) + seconds(61));
  EXPECT_TRUE(due.to_begin.empty());
  EXPECT_EQ(due.missed, std::vector{kMidnight + hours(3)});
  EXPECT_EQ(due.seen_until, kMidnight + hours(3));
}

TEST(DueSlots, TheNewestOfManyAreRecorded) {
  const auto now = kMidnight + hours(2) + seconds(30);
  const auto due = due_slots(schedule("* * * * *"), kMidnight, now);
  EXPECT_EQ(due.to_begin, std::vector{kMidnight + hours(2)});
  ASSERT_EQ(due.missed.size(), kSlotsMissedRecorded);
  EXPECT_EQ(due.missed.back(), kMidnight + minutes(119));
  EXPECT_EQ(due.missed_before, 119 - kSlotsMissedRecorded);
  EXPECT_FALSE(due.missed_is_more);
}

TEST(DueSlots, ALongDeadlineBeginsNoFlood) {
  const auto due = due_slots(schedule("* * * * *", seconds(86400)), kMidnight, kMidnight + hours(2));
  EXPECT_EQ(due.to_begin.size(), kSlotsBegun);
  EXPECT_EQ(due.to_begin.back(), kMidnight + hours(2));
  EXPECT_EQ(due.missed.size(), kSlotsMissedRecorded);
  EXPECT_EQ(due.missed_before, 120 - kSlotsBegun - kSlotsMissedRecorded);
}

TEST(DueSlots, AYearOfMinutesIsBounded) {
  const auto now = kMidnight + hours(24 * 365);
  const auto due = due_slots(schedule("* * * * *"), kMidnight, now);
  EXPECT_TRUE(due.missed_is_more);
  EXPECT_EQ(due.missed.size(), kSlotsMissedRecorded);
  EXPECT_EQ(due.missed.back(), now - minutes(2));
  EXPECT_EQ(due.to_begin, (std::vector{now - minutes(1), now}));
  EXPECT_EQ(due.next, now + minutes(1));
}

TEST(DueSlots, AClockThatWentBackMakesNothingDueAgain) {
  const auto due = due_slots(schedule("0 * * * *"), kMidnight + hours(5), kMidnight + hours(2));
  EXPECT_TRUE(due.to_begin.empty());
  EXPECT_TRUE(due.missed.empty());
  EXPECT_EQ(due.seen_until, kMidnight + hours(5));
  EXPECT_EQ(due.next, kMidnight + hours(6));
}

// However often somebody looks, each slot is due or missed once.
TEST(DueSlots, EachOnce) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    base::Random random(seed);
    const auto line = schedule("*/7 * * * *", seconds(90));
    auto seen = kMidnight;
    auto now = kMidnight;
    std::vector<base::WallTime> all;
    while (now < kMidnight + hours(6)) {
      now += seconds(1 + random.below(1200));
      const auto due = due_slots(line, seen, now);
      EXPECT_EQ(due.missed_before, 0u);
      all.insert(all.end(), due.missed.begin(), due.missed.end());
      all.insert(all.end(), due.to_begin.begin(), due.to_begin.end());
      seen = due.seen_until;
    }
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1], all[i]) << seed;
    EXPECT_GE(all.size(), 6u * 9 - 1) << seed;
  }
}

}  // namespace
}  // namespace orchion::control::controllers
