#include "node/runtimes/process/cgroup_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::node::runtimes::process {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kV1[] =
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "37 31 0:34 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "38 31 0:35 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";
constexpr char kUnified[] = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
constexpr char kV2[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";

CgroupTree tree_of(const std::string& mounts) {
  CgroupTree tree{.layout = *bundle::parse_cgroup_layout(mounts),
                  .unified_controllers = {"cpuset", "cpu", "memory", "pids"},
                  .cpus = "0-3",
                  .memory_nodes = "0"};
  tree.layout.limits_swap = true;
  return tree;
}

ResourceLimits all_limits() {
  return {.nano_cpus = 1'500'000'000, .memory_bytes = 1000, .pids = 7, .cpu_shares = 1024, .cpuset = "1"};
}

TEST(CgroupPlan, UnifiedHandsControllersOnBeforeLimitsAreSet) {
  const auto plan = plan_cgroups(tree_of(kV2), "/o/a", all_limits());
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(plan->parents, ElementsAre("/sys/fs/cgroup/o"));
  EXPECT_THAT(plan->parent_writes, Contains("-/sys/fs/cgroup/cgroup.subtree_control +memory"));
  EXPECT_THAT(plan->parent_writes, Contains("-/sys/fs/cgroup/o/cgroup.subtree_control +cpuset"));
  EXPECT_THAT(plan->groups, ElementsAre("/sys/fs/cgroup/o/a"));
  EXPECT_THAT(plan->writes, ElementsAre("/sys/fs/cgroup/o/a/memory.max 1000", "-/sys/fs/cgroup/o/a/memory.swap.max 0",
                                        "/sys/fs/cgroup/o/a/pids.max 7", "/sys/fs/cgroup/o/a/cpu.max 150000 100000",
                                        "/sys/fs/cgroup/o/a/cpu.weight 39", "/sys/fs/cgroup/o/a/cpuset.cpus 1"));
}

TEST(CgroupPlan, UnifiedSwapIsWhatExceedsTheMemory) {
  const auto more = plan_cgroups(tree_of(kV2), "/o/a", {.memory_bytes = 1000, .swap_bytes = 1500});
  ASSERT_TRUE(more.has_value());
  EXPECT_THAT(more->writes, Contains("/sys/fs/cgroup/o/a/memory.swap.max 500"));
  const auto any = plan_cgroups(tree_of(kV2), "/o/a", {.memory_bytes = 1000, .swap_bytes = -1});
  ASSERT_TRUE(any.has_value());
  EXPECT_THAT(any->writes, Contains("/sys/fs/cgroup/o/a/memory.swap.max max"));
}

TEST(CgroupPlan, SplitHierarchiesAreEnteredOnceEach) {
  const auto plan = plan_cgroups(tree_of(kV1), "/o/a", all_limits());
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(plan->groups, ElementsAre("/sys/fs/cgroup/memory/o/a", "/sys/fs/cgroup/pids/o/a",
                                        "/sys/fs/cgroup/cpu,cpuacct/o/a", "/sys/fs/cgroup/cpuset/o/a"));
  EXPECT_THAT(
      plan->writes,
      ElementsAre("/sys/fs/cgroup/memory/o/a/memory.limit_in_bytes 1000",
                  "/sys/fs/cgroup/memory/o/a/memory.memsw.limit_in_bytes 1000", "/sys/fs/cgroup/pids/o/a/pids.max 7",
                  "/sys/fs/cgroup/cpu,cpuacct/o/a/cpu.cfs_period_us 100000",
                  "/sys/fs/cgroup/cpu,cpuacct/o/a/cpu.cfs_quota_us 150000",
                  "/sys/fs/cgroup/cpu,cpuacct/o/a/cpu.shares 1024", "/sys/fs/cgroup/cpuset/o/a/cpuset.mems 0",
                  "/sys/fs/cgroup/cpuset/o/a/cpuset.cpus 1"));
  EXPECT_THAT(plan->parent_writes,
              ElementsAre("/sys/fs/cgroup/cpuset/o/cpuset.cpus 0-3", "/sys/fs/cgroup/cpuset/o/cpuset.mems 0"));
}

TEST(CgroupPlan, WithoutLimitsNoProcessorsArePinned) {
  const auto plan = plan_cgroups(tree_of(kV1), "/o/a", {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_TRUE(plan->writes.empty());
  EXPECT_THAT(plan->groups, Not(Contains(HasSubstr("cpuset"))));
}

TEST(CgroupPlan, HybridIsKilledByTheUnifiedOne) {
  const auto plan = plan_cgroups(tree_of(std::string(kV1) + kUnified), "/o/a", {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->groups.front(), "/sys/fs/cgroup/unified/o/a");
}

TEST(CgroupPlan, ALimitWithoutAControllerIsRefusedByName) {
  auto v2 = tree_of(kV2);
  v2.unified_controllers = {"memory"};
  for (const auto& tree : {v2, tree_of("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")}) {
    const auto plan = plan_cgroups(tree, "/o/a", {.pids = 3});
    ASSERT_FALSE(plan.has_value());
    EXPECT_EQ(plan.error().code, base::Code::kInvalidArgument);
    EXPECT_THAT(plan.error().message, HasSubstr("pids"));
  }
}

}  // namespace
}  // namespace orchion::node::runtimes::process
