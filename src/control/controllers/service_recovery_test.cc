#include "control/controllers/service_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/lifecycle.h"
#include "core/recovery.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

v1::Task task_on(const std::string& node, std::initializer_list<std::string> avoided = {}) {
  v1::Task task;
  task.mutable_spec()->mutable_assignment()->set_node_uid(node);
  for (const auto& each : avoided) task.mutable_spec()->add_avoided_nodes(each);
  return task;
}

void live(v1::Task& task, int for_seconds) {
  task.mutable_status()->mutable_started_at()->set_seconds(1000);
  task.mutable_status()->mutable_finished_at()->set_seconds(1000 + for_seconds);
}

TEST(ReplacementDelay, DoublesUpToAMinute) {
  v1::RestartPolicy policy;
  EXPECT_EQ(replacement_delay(policy, 0), milliseconds(100));
  EXPECT_EQ(replacement_delay(policy, 1), milliseconds(100));
  EXPECT_EQ(replacement_delay(policy, 2), milliseconds(200));
  EXPECT_EQ(replacement_delay(policy, 10), milliseconds(51200));
  EXPECT_EQ(replacement_delay(policy, 11), seconds(60));
  EXPECT_EQ(replacement_delay(policy, 1000), seconds(60));
  policy.mutable_delay()->set_seconds(5);
  EXPECT_EQ(replacement_delay(policy, 1000), seconds(5));
}

TEST(FailuresAfter, CountsOnUntilATaskHasLived) {
  auto task = task_on("a");
  EXPECT_EQ(failures_after(task), 1u);
  (*task.mutable_meta()->mutable_labels())[core::kFailuresLabel] = "4";
  EXPECT_EQ(failures_after(task), 5u);
  live(task, 9);
  EXPECT_EQ(failures_after(task), 5u);
  live(task, 10);
  EXPECT_EQ(failures_after(task), 0u);
}

TEST(AvoidedAfter, HasTheNewestLast) {
  EXPECT_THAT(avoided_after(task_on("a")), ElementsAre("a"));
  EXPECT_THAT(avoided_after(task_on("b", {"a"})), ElementsAre("a", "b"));
  EXPECT_THAT(avoided_after(task_on("a", {"a", "b"})), ElementsAre("b", "a"));
  auto lived = task_on("b", {"a"});
  live(lived, 100);
  EXPECT_THAT(avoided_after(lived), ElementsAre("b"));
}

TEST(AvoidedByReplacement, IsForThoseThatMoveOrFailAgainAndAgain) {
  auto task = task_on("b", {"a"});
  task.mutable_status()->set_state(v1::FAILED);
  v1::ServiceSpec spec;
  EXPECT_THAT(avoided_by_replacement(spec, task, 4), ElementsAre("a"));
  EXPECT_THAT(avoided_by_replacement(spec, task, 5), ElementsAre("a", "b"));
  spec.mutable_recovery()->set_action(v1::Recovery::MOVE);
  EXPECT_THAT(avoided_by_replacement(spec, task, 1), ElementsAre("a", "b"));
  task.mutable_status()->set_state(v1::STOPPED);
  EXPECT_THAT(avoided_by_replacement(spec, task, 1), ElementsAre("a"));
}

TEST(LooksForAnotherNode, WhatFailedOftenEnough) {
  const struct {
    const char* name;
    v1::TaskState state;
    bool started;
    std::uint32_t failures;
    v1::Recovery::Action action;
    bool looks;
  } rows[] = {
      {"could not be prepared", v1::PREPARING, false, 3, v1::Recovery::RESTART, true},
      {"not often yet", v1::PREPARING, false, 2, v1::Recovery::RESTART, false},
      {"crashes", v1::STARTING, true, 5, v1::Recovery::RESTART, true},
      {"crashed not often yet", v1::STARTING, true, 4, v1::Recovery::RESTART, false},
      {"is up", v1::RUNNING, true, 9, v1::Recovery::RESTART, false},
      {"goes already", v1::STOPPING, true, 9, v1::Recovery::RESTART, false},
      {"has ended", v1::FAILED, true, 9, v1::Recovery::RESTART, false},
      {"is to be left alone", v1::STARTING, true, 9, v1::Recovery::NOTHING, false},
      {"is made anew", v1::PREPARING, false, 3, v1::Recovery::RECREATE, true},
  };
  for (const auto& row : rows) {
    auto task = task_on("a");
    task.mutable_status()->set_state(row.state);
    task.mutable_status()->set_failures(row.failures);
    if (row.started) task.mutable_status()->mutable_started_at()->set_seconds(1);
    v1::ServiceSpec spec;
    spec.mutable_recovery()->set_action(row.action);
    EXPECT_EQ(looks_for_another_node(spec, task), row.looks) << row.name;
  }
}

TEST(IsBetterElsewhere, WhereItHasNotFailedAndElseMuchLater) {
  auto task = task_on("b", {"a"});
  task.mutable_status()->set_failures(14);
  EXPECT_FALSE(is_better_elsewhere(task, "b"));
  EXPECT_TRUE(is_better_elsewhere(task, "c"));
  EXPECT_FALSE(is_better_elsewhere(task, "a"));
  task.mutable_status()->set_failures(15);
  EXPECT_TRUE(is_better_elsewhere(task, "a"));
  EXPECT_FALSE(is_better_elsewhere(task, "b"));
}

TEST(WantsReplacement, CountsWhatWasMadeAnewAgainstMaxAttempts) {
  v1::ServiceSpec spec;
  spec.mutable_recovery()->set_action(v1::Recovery::RECREATE);
  spec.mutable_restart()->set_max_attempts(2);
  auto task = task_on("a");
  task.mutable_status()->set_state(v1::FAILED);
  task.mutable_status()->set_attempt(1);
  EXPECT_TRUE(core::wants_replacement(spec, task));
  (*task.mutable_meta()->mutable_labels())[core::kRestartsLabel] = "1";
  EXPECT_TRUE(core::wants_replacement(spec, task));
  (*task.mutable_meta()->mutable_labels())[core::kRestartsLabel] = "2";
  EXPECT_FALSE(core::wants_replacement(spec, task));
}

}  // namespace
}  // namespace orchion::control::controllers
