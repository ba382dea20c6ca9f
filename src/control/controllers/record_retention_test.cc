#include "control/controllers/record_retention.h"

#include <gtest/gtest.h>

#include "core/timestamps.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::hours;

const base::WallTime kDayOne{hours(24 * 20'000)};

v1::TaskRecord record(const std::string& uid, const std::string& slot, base::WallTime removed,
                      const std::string& run = "") {
  v1::TaskRecord result;
  result.mutable_meta()->set_stack("shop");
  result.mutable_meta()->set_name(uid);
  *result.mutable_meta()->mutable_created_at() = core::to_timestamp(removed);
  result.set_slot(slot);
  result.set_run(run);
  return result;
}

std::vector<std::string> names(const std::vector<store::ObjectName>& objects) {
  std::vector<std::string> result;
  for (const auto& object : objects) result.push_back(object.name);
  return result;
}

TEST(RecordRetention, WhatIsTooOldGoes) {
  RecordRetention retention({.kept = 10, .kept_of_one = 10, .age = hours(24)});
  EXPECT_EQ(retention.next_end(), std::nullopt);
  retention.put(record("old", "web.1", kDayOne));
  retention.put(record("young", "web.1", kDayOne + hours(1)));
  EXPECT_EQ(retention.next_end(), kDayOne + hours(24));
  EXPECT_TRUE(retention.surplus(kDayOne + hours(23)).empty());
  EXPECT_EQ(names(retention.surplus(kDayOne + hours(24))), std::vector<std::string>{"old"});
  retention.erase(record("old", "web.1", kDayOne));
  EXPECT_EQ(retention.next_end(), kDayOne + hours(25));
}

TEST(RecordRetention, OfASlotTheNewestStay) {
  RecordRetention retention({.kept = 1000, .kept_of_one = 20});
  for (int i = 0; i < 22; ++i) retention.put(record("a" + std::to_string(10 + i), "web.1", kDayOne + hours(i)));
  for (int i = 0; i < 22; ++i) retention.put(record("b" + std::to_string(10 + i), "web.2", kDayOne + hours(i)));
  EXPECT_FALSE(retention.is_over()) << "not one goes for each that comes";
  retention.put(record("a32", "web.1", kDayOne + hours(22)));
  EXPECT_TRUE(retention.is_over());
  const auto going = retention.surplus(kDayOne + hours(22));
  EXPECT_EQ(names(going), (std::vector<std::string>{"a10", "a11", "a12"}));
  for (int i = 0; i < 3; ++i) retention.erase(record("a" + std::to_string(10 + i), "web.1", kDayOne + hours(i)));
  EXPECT_FALSE(retention.is_over());
  EXPECT_TRUE(retention.surplus(kDayOne + hours(22)).empty());
}

TEST(RecordRetention, AllRunsOfAJobAreOne) {
  RecordRetention retention({.kept = 1000, .kept_of_one = 1});
  for (int i = 1; i <= 3; ++i) {
    const auto run = "encode." + std::to_string(i);
    retention.put(record("u" + std::to_string(i), run + ".0", kDayOne + hours(i), run));
  }
  retention.put(record("other", "web.1", kDayOne));
  EXPECT_EQ(names(retention.surplus(kDayOne + hours(3))), (std::vector<std::string>{"u1", "u2"}));
}

TEST(RecordRetention, OfAllTheOldestGo) {
  RecordRetention retention({.kept = 10, .kept_of_one = 10});
  for (int i = 0; i < 11; ++i)
    retention.put(record("u" + std::to_string(10 + i), "web." + std::to_string(i + 1), kDayOne + hours(i)));
  EXPECT_FALSE(retention.is_over());
  retention.put(record("u21", "web.12", kDayOne + hours(11)));
  retention.put(record("u21", "web.12", kDayOne + hours(11)));
  EXPECT_TRUE(retention.is_over());
  EXPECT_EQ(names(retention.surplus(kDayOne + hours(11))), (std::vector<std::string>{"u10", "u11"}));
}

}  // namespace
}  // namespace orchion::control::controllers
