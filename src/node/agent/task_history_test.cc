// What an agent writes down of its tasks: every change, also those between two reports.

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/task_changes.h"
#include "core/timestamps.h"
#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class TaskHistory : public AgentLab {
 protected:
  void run_tasks(std::vector<v1::TaskAssignment> tasks) {
    server.full = assignments(std::move(tasks));
    start_agent();
    advance(seconds(1));
  }

  void stop(v1::TaskAssignment task) {
    task.mutable_task()->mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
    v1::Assignments delta;
    *delta.add_tasks() = std::move(task);
    server.send_delta(std::move(delta));
    advance(seconds(1));
  }

  // "ATTEMPT REASON", as the control plane knows them.
  std::vector<std::string> steps(const std::string& uid) {
    std::vector<std::string> result;
    for (const auto& change : status(uid).changes())
      result.push_back(std::to_string(change.attempt()) + " " + change.reason());
    return result;
  }
  const v1::TaskChange& last(const std::string& uid) { return *status(uid).changes().rbegin(); }
};

TEST_F(TaskHistory, ATaskFromItsStartToItsEnd) {
  run_tasks({task("a")});
  EXPECT_THAT(steps("a"), ElementsAre("1 Preparing", "1 Starting", "1 Running"));
  EXPECT_EQ(last("a").state(), v1::RUNNING);
  EXPECT_TRUE(last("a").has_time());
  runtime.end("a", 3);
  advance(seconds(1));
  EXPECT_THAT(steps("a"),
              ElementsAre("1 Preparing", "1 Starting", "1 Running", "1 Exited", "2 Restarting", "2 Running"));
  const auto& exited = status("a").changes(3);
  EXPECT_EQ(exited.exit_code(), 3);
  EXPECT_EQ(exited.state(), v1::FAILED);
  EXPECT_EQ(exited.message(), "exited with 3");
  EXPECT_THAT(status("a").changes(4).message(), HasSubstr("restarts in"));
  stop(task("a"));
  EXPECT_EQ(state("a"), v1::STOPPED);
  EXPECT_EQ(status("a").changes(6).reason(), "Stopping");
  EXPECT_EQ(last("a").reason(), "Stopped");
  EXPECT_TRUE(last("a").has_exit_code());
}

TEST_F(TaskHistory, NothingIsMissedWhileTheControlPlaneIsAway) {
  run_tasks({task("a")});
  server.away = true;
  server.hang_up();
  for (int i = 0; i < 3; ++i) {
    runtime.end("a", 1);
    advance(seconds(2));
  }
  server.away = false;
  advance(seconds(20));
  EXPECT_EQ(status("a").attempt(), 4u);
  EXPECT_EQ(status("a").changes_size(), 3 + 3 * 3);
}

TEST_F(TaskHistory, ACrashLoopStaysSmall) {
  run_tasks({task("a")});
  for (int i = 0; i < 100; ++i) {
    runtime.end("a", 1);
    advance(seconds(61));
  }
  ASSERT_EQ(status("a").changes_size(), core::kTaskChangesMax);
  EXPECT_EQ(status("a").changes(0).reason(), "Preparing");
  std::uint32_t all = 0;
  for (const auto& change : status("a").changes()) all += 1 + change.left_out();
  EXPECT_EQ(all, 3 + 3 * 100u);
}

TEST_F(TaskHistory, AKilledAgentGoesOnWhereItWas) {
  run_tasks({task("a")});
  runtime.end("a", 1);
  advance(seconds(1));
  const auto before = steps("a");
  kill_agent();
  start_agent();
  advance(seconds(1));
  EXPECT_EQ(steps("a"), before);
  kill_agent();
  runtime.end("a", 1);
  start_agent();
  advance(seconds(1));
  auto after = before;
  for (const char* more : {"2 Exited", "3 Restarting", "3 Running"}) after.emplace_back(more);
  EXPECT_EQ(steps("a"), after);
}

TEST_F(TaskHistory, ANodeThatForgotATaskSaysSo) {
  run_tasks({task("a")});
  auto known = task("a");
  *known.mutable_task()->mutable_status() = status("a");
  kill_agent();
  forget_everything();
  run_tasks({known});
  EXPECT_THAT(steps("a"), ElementsAre("1 Preparing", "1 Starting", "1 Running", "2 BegunAnew", "2 Preparing",
                                      "2 Starting", "2 Running"));
}

TEST_F(TaskHistory, HealthAndReadinessAreChanges) {
  auto web = task("a");
  for (auto* check : {web.mutable_container()->mutable_health_check(), web.mutable_container()->mutable_readiness()}) {
    check->mutable_test()->add_values("CMD-SHELL");
    check->mutable_test()->add_values("ok");
    check->mutable_interval()->set_seconds(10);
    check->set_retries(2);
  }
  web.mutable_container()->mutable_readiness()->mutable_interval()->set_seconds(5);
  runtime.exec_code = 0;
  run_tasks({web});
  advance(seconds(15));
  runtime.exec_code = 3;
  advance(seconds(25));
  const auto said = steps("a");
  for (const char* step : {"1 Healthy", "1 Ready", "1 NotReady", "1 Unhealthy", "1 Interrupting", "1 Interrupted",
                           "2 Restarting", "2 Running"})
    EXPECT_THAT(said, testing::Contains(step));
}

TEST_F(TaskHistory, TriesThatFailAlikeAreOneChange) {
  networks.attach_error = base::Error{base::Code::kFailedPrecondition, "port 80 is taken by nginx: stop it", {}};
  run_tasks({task("a")});
  advance(seconds(30));
  EXPECT_THAT(steps("a"), ElementsAre("1 Preparing", "1 TryFailed"));
  EXPECT_EQ(last("a").message(), "port 80 is taken by nginx: stop it");
  networks.attach_error = base::Error{base::Code::kFailedPrecondition, "port 80 is taken by caddy: stop it", {}};
  advance(seconds(60));
  networks.attach_error.reset();
  advance(seconds(60));
  EXPECT_THAT(steps("a"), ElementsAre("1 Preparing", "1 TryFailed", "1 TryFailed", "1 Starting", "1 Running"));
}

TEST_F(TaskHistory, WhatOutlivesItsGraceIsKilled) {
  runtime.stubborn.insert("a");
  run_tasks({task("a")});
  stop(task("a"));
  advance(seconds(60));
  EXPECT_THAT(steps("a"),
              ElementsAre("1 Preparing", "1 Starting", "1 Running", "1 Stopping", "1 Killing", "1 Stopped"));
}

}  // namespace
}  // namespace orchion::node::agent
