#include "node/runtimes/bundle/node_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/runtimes/features.h"

namespace orchion::node::runtimes::bundle {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

CgroupLayout whole() {
  return {.limits_swap = true, .weighs_disks = true};
}

TEST(NodeLimits, RootOfTheMachineLacksNothing) {
  EXPECT_THAT(lacks_of_node(whole()), IsEmpty());
  EXPECT_TRUE(check_limits({.nano_cpus = 1, .memory_bytes = 1, .pids = 1, .cpuset = "0"}, whole()).has_value());
}

TEST(NodeLimits, WhatWasNotDelegatedIsRefusedByName) {
  auto layout = whole();
  layout.missing = {"cpuset", "io"};
  EXPECT_TRUE(lacks_of_node(layout).contains(feature::kCpuset));
  EXPECT_FALSE(lacks_of_node(layout).contains(feature::kMemory));
  EXPECT_TRUE(check_limits({.nano_cpus = 1, .memory_bytes = 1, .pids = 1, .cpu_shares = 2}, layout).has_value());
  const auto refused = check_limits({.cpuset = "0"}, layout);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("the controller cpuset"));
  EXPECT_THAT(refused.error().message, HasSubstr("leave `cpuset` out"));
}

TEST(NodeLimits, WithoutGroupsNothingIsLimited) {
  const CgroupLayout layout{.mode = CgroupLayout::Mode::kNone, .missing = {"cpu", "cpuset", "io", "memory", "pids"}};
  EXPECT_TRUE(check_limits({}, layout).has_value());
  for (const auto& limits : {ResourceLimits{.nano_cpus = 1}, ResourceLimits{.memory_bytes = 1},
                             ResourceLimits{.pids = 1}, ResourceLimits{.cpu_shares = 2}, ResourceLimits{.cpuset = "0"},
                             ResourceLimits{.block_io = {.read_bytes = {{"/dev/sda", 1}}}}}) {
    const auto refused = check_limits(limits, layout);
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("runs without root, and has no control groups"));
  }
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
