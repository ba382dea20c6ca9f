#include "node/agent/session_order.h"

#include <gtest/gtest.h>

namespace orchion::node::agent {
namespace {

v1::ToAgent welcome() {
  v1::ToAgent message;
  message.mutable_welcome();
  return message;
}

v1::ToAgent assignments(std::uint64_t sequence, bool full) {
  v1::ToAgent message;
  message.mutable_assignments()->set_sequence(sequence);
  message.mutable_assignments()->set_full(full);
  return message;
}

TEST(SessionOrder, TakesTheFullSetThenEachDelta) {
  SessionOrder order;
  EXPECT_TRUE(order.check(welcome()).has_value());
  EXPECT_TRUE(order.check(assignments(7, true)).has_value());
  EXPECT_TRUE(order.check(assignments(8, false)).has_value());
  EXPECT_TRUE(order.check(assignments(9, false)).has_value());
}

TEST(SessionOrder, RefusesGapsAndRepetitions) {
  for (const std::uint64_t wrong : {3u, 1u, 0u}) {
    SessionOrder order;
    EXPECT_TRUE(order.check(welcome()).has_value());
    EXPECT_TRUE(order.check(assignments(1, true)).has_value());
    EXPECT_EQ(order.check(assignments(wrong, false)).error().code, base::Code::kAborted) << wrong;
  }
}

TEST(SessionOrder, RefusesADeltaToNothingAndASecondWelcome) {
  SessionOrder order;
  EXPECT_FALSE(order.check(assignments(1, true)).has_value());
  SessionOrder welcomed;
  EXPECT_TRUE(welcomed.check(welcome()).has_value());
  EXPECT_FALSE(welcomed.check(assignments(1, false)).has_value());
  EXPECT_FALSE(welcomed.check(welcome()).has_value());
}

TEST(DiffersEnough, IgnoresWhatAlwaysMoves) {
  v1::NodeCapabilities before;
  before.set_memory_bytes(1000);
  before.set_memory_available_bytes(500);
  before.set_disk_bytes(1000);
  before.set_disk_free_bytes(500);
  auto after = before;
  EXPECT_FALSE(differs_enough(before, after));
  after.set_memory_available_bytes(460);
  after.set_disk_free_bytes(540);
  EXPECT_FALSE(differs_enough(before, after));
  after.set_memory_available_bytes(450);
  EXPECT_TRUE(differs_enough(before, after));
  after = before;
  after.set_disk_free_bytes(400);
  EXPECT_TRUE(differs_enough(before, after));
  after = before;
  after.set_kernel("6.1");
  EXPECT_TRUE(differs_enough(before, after));
}

TEST(DiffersEnough, IgnoresHowBusyAGpuIsForAMoment) {
  v1::NodeCapabilities before;
  auto& gpu = *before.add_gpus();
  gpu.set_id("a");
  gpu.set_memory_bytes(1000);
  gpu.set_memory_free_bytes(500);
  gpu.set_utilisation_percent(40);
  gpu.set_temperature_celsius(60);
  auto after = before;
  auto& now = *after.mutable_gpus(0);
  now.set_memory_free_bytes(460);
  now.set_utilisation_percent(55);
  now.set_temperature_celsius(65);
  now.set_power_milliwatts(90'000);
  EXPECT_FALSE(differs_enough(before, after));
  now.set_utilisation_percent(60);
  EXPECT_TRUE(differs_enough(before, after));
  after = before;
  after.mutable_gpus(0)->set_id("b");
  EXPECT_TRUE(differs_enough(before, after));
  after = before;
  after.add_gpus()->set_id("c");
  EXPECT_TRUE(differs_enough(before, after));
  EXPECT_TRUE(differs_enough(after, before));
}

}  // namespace
}  // namespace orchion::node::agent
