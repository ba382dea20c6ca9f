#include "core/task_state.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

constexpr v1::TaskState kAll[] = {v1::PENDING,  v1::ASSIGNED,  v1::PREPARING, v1::STARTING, v1::RUNNING,
                                  v1::STOPPING, v1::SUCCEEDED, v1::FAILED,    v1::STOPPED};

TEST(TaskState, OnlyForwardAndNothingAfterTheEnd) {
  for (const auto before : kAll) {
    for (const auto after : kAll) {
      const bool expected = before < v1::SUCCEEDED && (after >= v1::SUCCEEDED || after > before);
      EXPECT_EQ(may_follow(before, after), expected) << state_name(before) << " to " << state_name(after);
    }
  }
}

TEST(TaskState, TerminalStates) {
  for (const auto state : kAll) EXPECT_EQ(is_terminal(state), state >= v1::SUCCEEDED) << state_name(state);
}

TEST(TaskState, HealthyIsWhatSomebodyAskedAndNobodyDoubts) {
  const auto of = [](v1::Health health, v1::Health readiness) {
    v1::TaskStatus status;
    status.set_health(health);
    status.set_readiness(readiness);
    return status;
  };
  EXPECT_TRUE(is_well(of(v1::NOT_CHECKED, v1::NOT_CHECKED)));
  EXPECT_FALSE(is_healthy(of(v1::NOT_CHECKED, v1::NOT_CHECKED)));
  EXPECT_TRUE(is_healthy(of(v1::HEALTH_GOOD, v1::NOT_CHECKED)));
  EXPECT_TRUE(is_healthy(of(v1::NOT_CHECKED, v1::HEALTH_GOOD)));
  EXPECT_TRUE(is_ready(of(v1::HEALTH_STARTING, v1::NOT_CHECKED)));
  for (const auto doubt : {v1::HEALTH_STARTING, v1::HEALTH_BAD}) {
    EXPECT_FALSE(is_well(of(v1::HEALTH_GOOD, doubt)));
    EXPECT_FALSE(is_healthy(of(doubt, v1::HEALTH_GOOD)));
    EXPECT_FALSE(is_ready(of(v1::HEALTH_GOOD, doubt)));
  }
}

v1::TaskStatus status(std::uint32_t attempt, v1::TaskState state) {
  v1::TaskStatus result;
  result.set_attempt(attempt);
  result.set_state(state);
  return result;
}

TEST(TaskState, ReportsOfAttempts) {
  const struct {
    v1::TaskStatus before, after;
    bool allowed;
  } cases[] = {
      {status(1, v1::RUNNING), status(2, v1::STARTING), true},
      {status(2, v1::STARTING), status(1, v1::RUNNING), false},
      {status(2, v1::STARTING), status(1, v1::FAILED), false},
      {status(1, v1::RUNNING), status(1, v1::STARTING), false},
      {status(1, v1::RUNNING), status(1, v1::RUNNING), true},
      {status(1, v1::FAILED), status(1, v1::FAILED), true},
      {status(1, v1::FAILED), status(2, v1::STARTING), false},
      {status(0, v1::PENDING), status(1, v1::RUNNING), true},
      {status(3, v1::SUCCEEDED), status(3, v1::FAILED), false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(may_follow(c.before, c.after), c.allowed)
        << c.before.attempt() << " " << state_name(c.before.state()) << " to " << c.after.attempt() << " "
        << state_name(c.after.state());
  }
}

}  // namespace
}  // namespace orchion::core
