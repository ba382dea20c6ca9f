#include "node/probes/tally.h"

#include <gtest/gtest.h>

namespace orchion::node::probes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

v1::HealthCheck check() {
  v1::HealthCheck result;
  result.mutable_test()->add_values("CMD-SHELL");
  result.mutable_test()->add_values("true");
  result.mutable_interval()->set_seconds(10);
  result.set_retries(2);
  return result;
}

TEST(Tally, PausesGrowToTheInterval) {
  const Tally tally(check());
  EXPECT_EQ(tally.pause(seconds(0)), milliseconds(500));
  EXPECT_EQ(tally.pause(seconds(2)), seconds(2));
  EXPECT_EQ(tally.pause(seconds(9)), seconds(9));
  EXPECT_EQ(tally.pause(seconds(30)), seconds(10));
  auto with_start = check();
  with_start.mutable_start_period()->set_seconds(60);
  with_start.mutable_start_interval()->set_seconds(3);
  EXPECT_EQ(Tally(with_start).pause(seconds(20)), seconds(3));
  EXPECT_EQ(Tally(with_start).pause(seconds(60)), seconds(10));
  EXPECT_EQ(Tally(v1::HealthCheck()).pause(seconds(100)), seconds(30));
  EXPECT_EQ(Tally(v1::HealthCheck()).timeout(), seconds(30));
}

TEST(Tally, FailuresCountAfterTheStart) {
  Tally tally(check());
  tally.record(false, seconds(1));
  tally.record(false, seconds(2));
  tally.record(false, seconds(10));
  EXPECT_EQ(tally.health(), v1::HEALTH_STARTING);
  tally.record(false, seconds(20));
  EXPECT_EQ(tally.health(), v1::HEALTH_BAD);
  tally.record(true, seconds(30));
  EXPECT_EQ(tally.health(), v1::HEALTH_GOOD);
  tally.record(false, seconds(40));
  tally.record(true, seconds(50));
  tally.record(false, seconds(60));
  EXPECT_EQ(tally.health(), v1::HEALTH_GOOD) << "not in a row";
  tally.record(false, seconds(70));
  EXPECT_EQ(tally.health(), v1::HEALTH_BAD);
}

TEST(Tally, AfterASuccessTheStartIsOver) {
  auto with_start = check();
  with_start.mutable_start_period()->set_seconds(60);
  Tally tally(with_start);
  tally.record(true, seconds(1));
  EXPECT_EQ(tally.pause(seconds(1)), seconds(10));
  tally.record(false, seconds(2));
  tally.record(false, seconds(3));
  EXPECT_EQ(tally.health(), v1::HEALTH_BAD);
  EXPECT_EQ(Tally(with_start, v1::HEALTH_GOOD).health(), v1::HEALTH_GOOD) << "an adopted task stays healthy";
}

}  // namespace
}  // namespace orchion::node::probes
