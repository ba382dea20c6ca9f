#include "node/images/collection_plan.h"

#include <gtest/gtest.h>

namespace orchion::node::images {
namespace {

using Names = std::vector<std::string>;
using Days = std::chrono::days;

const base::WallTime kNow{std::chrono::hours(24 * 365)};

CollectableImage image(const std::string& name, int days, bool in_use = false, bool from_registry = true) {
  return {.reference = name, .used_at = kNow - Days(days), .in_use = in_use, .from_registry = from_registry};
}

TEST(CollectionPlan, WhatNoTaskUsedForTooLongGoes) {
  const std::vector<CollectableImage> images = {image("new", 1),         image("month", 30),
                                                image("older", 31),      image("oldest", 99),
                                                image("used", 99, true), image("by-hand", 99, false, false)};
  EXPECT_EQ(plan_by_age(images, kNow, {}), (Names{"oldest", "older"}));
  EXPECT_EQ(plan_by_age(images, kNow, {.unused_max = Days(90)}), (Names{"oldest"}));
  EXPECT_EQ(plan_by_age(images, kNow, {.unused_max = Days(0)}), Names{}) << "off";
}

TEST(CollectionPlan, AFullDiskTakesTheLeastRecentlyUsedFirst) {
  EXPECT_EQ(order_by_use({image("new", 0), image("old", 9), image("used", 10, true), image("by-hand", 11, false, false),
                          image("older", 10)}),
            (Names{"older", "old", "new"}));
}

TEST(CollectionPlan, AWatermarkIsPassedNotMet) {
  EXPECT_FALSE((DiskUse{.used = 85, .available = 15}.is_above(85)));
  EXPECT_TRUE((DiskUse{.used = 86, .available = 14}.is_above(85)));
  EXPECT_FALSE((DiskUse{}.is_above(85))) << "no disk that says what it has";
  EXPECT_TRUE((DiskUse{.used = std::uint64_t{900} << 50, .available = std::uint64_t{100} << 50}.is_above(85)));
}

}  // namespace
}  // namespace orchion::node::images
