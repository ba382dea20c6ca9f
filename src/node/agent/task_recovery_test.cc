// What the agent does for tasks that fail, on a turned clock.

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "core/lifecycle.h"
#include "node/agent/agent_lab.h"
#include "node/logs/segment.h"

namespace orchion::node::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

class RecoveryTest : public AgentLab {
 protected:
  void run_task(v1::TaskAssignment task) {
    server.full = assignments({std::move(task)});
    start_agent();
    advance(seconds(1));
  }

  void say(std::uint16_t attempt, const std::string& text) {
    ASSERT_TRUE(base::make_folders(runtime.log_folder("a")).has_value());
    logs::RecordHeader header;
    header.length = static_cast<std::uint32_t>(text.size());
    header.attempt = attempt;
    std::ofstream file(runtime.log_folder("a") / "00000001.log", std::ios::app | std::ios::binary);
    file.write(reinterpret_cast<const char*>(&header), sizeof header).write(text.data(), std::ssize(text));
  }

  // A task whose check asks "ok" every ten seconds and may fail twice.
  v1::TaskAssignment checked(v1::Recovery::Action action) {
    auto task = this->task("a");
    auto& check = *task.mutable_container()->mutable_health_check();
    for (const auto* word : {"CMD", "ok"}) check.mutable_test()->add_values(word);
    check.mutable_interval()->set_seconds(10);
    check.set_retries(2);
    task.mutable_recovery()->set_action(action);
    runtime.exec_codes["ok"] = 0;
    return task;
  }

  void fall_ill(v1::TaskAssignment task) {
    run_task(std::move(task));
    advance(seconds(5));
    ASSERT_EQ(status("a").health(), v1::HEALTH_GOOD);
    runtime.exec_codes["ok"] = 3;
    advance(seconds(21));
  }

  std::vector<std::string> messages() {
    std::vector<std::string> said;
    for (const auto& report : server.told.at("a")) said.push_back(report.status().message());
    return said;
  }

  std::size_t mendings() {
    std::size_t count = 0;
    for (const auto& exec : runtime.execs) count += exec.arguments.at(0) == "mend" ? 1 : 0;
    return count;
  }
};

TEST_F(RecoveryTest, SaysHowItEndedWithItsLastLines) {
  auto task = this->task("a");
  auto& variable = *task.mutable_container()->add_environment();
  variable.set_name("API_TOKEN");
  variable.set_value("swordfish");
  run_task(task);
  say(1, "starting\n\x1b[31mno swordfish in the database\x1b[0m\n");
  runtime.end("a", 3);
  settle();
  EXPECT_EQ(status("a").last_end(), "exited with 3");
  EXPECT_THAT(status("a").last_output(), ElementsAre("starting", "no <redacted> in the database"));
  EXPECT_THAT(status("a").message(), MatchesRegex("exited with 3; restarts in 0\\.1 s"));

  advance(seconds(1));
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").last_output_size(), 2) << "as long as last_end is about them";
  runtime.end("a", 137, /*oom_killed=*/true);
  settle();
  EXPECT_THAT(status("a").last_end(), HasSubstr("was killed because memory ran out"));
  EXPECT_THAT(status("a").last_output(), IsEmpty()) << "this attempt said nothing";
  EXPECT_THAT(status("a").message(), HasSubstr(", after 2 failures"));
}

TEST_F(RecoveryTest, AFailedTaskHasItsLastLinesToo) {
  auto task = this->task("a");
  task.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  run_task(task);
  say(1, "out of luck");
  runtime.end("a", 7);
  settle();
  EXPECT_EQ(state("a"), v1::FAILED);
  EXPECT_EQ(status("a").message(), "exited with 7");
  EXPECT_THAT(status("a").last_output(), ElementsAre("out of luck"));
}

TEST_F(RecoveryTest, WhatEndsWellOrWasStoppedHasNone) {
  auto task = this->task("a");
  run_task(task);
  say(1, "done");
  runtime.end("a", 0);
  settle();
  EXPECT_EQ(state("a"), v1::SUCCEEDED);
  EXPECT_THAT(status("a").last_output(), IsEmpty());
  EXPECT_EQ(status("a").failures(), 0u);
}

TEST_F(RecoveryTest, FailuresInARowAreCountedUpToTenSecondsOfLife) {
  run_task(task("a"));
  for (std::uint32_t failure = 1; failure <= 4; ++failure) {
    runtime.end("a", 3);
    settle();
    EXPECT_EQ(status("a").failures(), failure);
    advance(seconds(1));
    ASSERT_TRUE(runtime.is_running("a"));
  }
  advance(seconds(10));
  runtime.end("a", 3);
  settle();
  EXPECT_EQ(status("a").failures(), 1u);
}

TEST_F(RecoveryTest, ANewAgentGoesOnCounting) {
  run_task(task("a"));
  for (int failure = 1; failure <= 6; ++failure) {
    runtime.end("a", 3);
    advance(seconds(4));
    ASSERT_TRUE(runtime.is_running("a")) << failure;
  }
  kill_agent();
  start_agent();
  settle();
  runtime.end("a", 3);
  settle();
  EXPECT_EQ(status("a").failures(), 7u);
  advance(seconds(3));
  EXPECT_FALSE(runtime.is_running("a")) << "between 3.2 and 6.4 s";
  advance(seconds(4));
  EXPECT_TRUE(runtime.is_running("a"));
}

TEST_F(RecoveryTest, AMissingCommandBacksOffToo) {
  const base::Error missing{base::Code::kNotFound, "no such command", {}};
  runtime.start_errors.insert_or_assign("a", missing);
  server.full = assignments({task("a")});
  start_agent();
  for (int i = 0; i < 1000 && (server.newest.count("a") == 0 || status("a").failures() < 6); ++i) {
    runtime.start_errors.insert_or_assign("a", missing);
    advance(milliseconds(10));
  }
  ASSERT_EQ(status("a").failures(), 6u);
  advance(milliseconds(1500));
  EXPECT_EQ(status("a").failures(), 6u) << "the sixth pause is 1.6 s at least";
}

TEST_F(RecoveryTest, WhatItComesAfterCountsForThePauseAndForMaxAttempts) {
  auto task = this->task("a");
  (*task.mutable_task()->mutable_meta()->mutable_labels())[core::kFailuresLabel] = "6";
  (*task.mutable_task()->mutable_meta()->mutable_labels())[core::kRestartsLabel] = "6";
  task.mutable_restart()->set_condition(v1::RestartPolicy::ON_FAILURE);
  task.mutable_restart()->set_max_attempts(7);
  run_task(task);
  runtime.end("a", 3);
  advance(seconds(3));
  EXPECT_FALSE(runtime.is_running("a"));
  advance(seconds(4));
  ASSERT_TRUE(runtime.is_running("a"));
  runtime.end("a", 3);
  settle();
  EXPECT_EQ(state("a"), v1::FAILED);
}

TEST_F(RecoveryTest, ADelayOfTheServiceIsObeyed) {
  auto task = this->task("a");
  task.mutable_restart()->set_condition(v1::RestartPolicy::ALWAYS);
  task.mutable_restart()->mutable_delay()->set_seconds(3);
  run_task(task);
  for (int i = 0; i < 3; ++i) {
    runtime.end("a", 3);
    settle();
    EXPECT_THAT(status("a").message(), HasSubstr("restarts in 3.0 s"));
    advance(milliseconds(2990));
    EXPECT_FALSE(runtime.is_running("a"));
    advance(milliseconds(20));
    EXPECT_TRUE(runtime.is_running("a"));
  }
}

TEST_F(RecoveryTest, WhatCannotBePreparedIsCounted) {
  images.errors["web:1"] = base::Error{base::Code::kNotFound, "no registry has web:1: check its name", {}};
  run_task(task("a"));
  advance(seconds(21));
  EXPECT_EQ(status("a").failures(), 3u);
  EXPECT_THAT(status("a").message(), HasSubstr("trying again in 10.0 s, after 3 failures"));
  EXPECT_FALSE(status("a").has_started_at());
}

TEST_F(RecoveryTest, RecreateAndMoveLeaveItToTheControlPlane) {
  for (const auto action : {v1::Recovery::RECREATE, v1::Recovery::MOVE}) {
    fall_ill(checked(action));
    advance(seconds(1));
    EXPECT_EQ(state("a"), v1::FAILED);
    EXPECT_EQ(status("a").message(), "failed its health check 2 times: exit code 3: said");
    EXPECT_EQ(runtime.count("start a 2"), 0u);
    EXPECT_EQ(runtime.count("release a"), 1u);
    forget_everything();
  }
}

TEST_F(RecoveryTest, AMachineThatWasRestartedIsNoReasonForAnotherTask) {
  run_task(checked(v1::Recovery::RECREATE));
  kill_agent();
  runtime.reboot();
  options.boot_id = "another";
  start_agent();
  advance(seconds(1));
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 2u);
}

TEST_F(RecoveryTest, NothingIsDoneWhereThatIsAsked) {
  fall_ill(checked(v1::Recovery::NOTHING));
  advance(seconds(60));
  EXPECT_EQ(status("a").health(), v1::HEALTH_BAD);
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 1u);
  runtime.end("a", 3);
  advance(seconds(60));
  EXPECT_EQ(state("a"), v1::FAILED);
}

TEST_F(RecoveryTest, ACommandMendsIt) {
  auto task = checked(v1::Recovery::RUN_COMMAND);
  for (const auto* word : {"mend", "it"}) task.mutable_recovery()->add_command(word);
  runtime.exec_codes["mend"] = 0;
  fall_ill(task);
  EXPECT_EQ(mendings(), 1u);
  EXPECT_THAT(messages(), Contains("is unhealthy (exit code 3: said): its recovery command runs"));
  EXPECT_EQ(status("a").health(), v1::HEALTH_STARTING);
  runtime.exec_codes["ok"] = 0;
  advance(seconds(11));
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD);
  EXPECT_EQ(status("a").message(), "");
  EXPECT_EQ(status("a").attempt(), 1u);

  // The next illness is another.
  runtime.exec_codes["ok"] = 3;
  advance(seconds(21));
  EXPECT_EQ(mendings(), 2u);
}

TEST_F(RecoveryTest, ACommandThatDoesNotHelpIsFollowedByARestart) {
  auto task = checked(v1::Recovery::RUN_COMMAND);
  task.mutable_recovery()->add_command("mend");
  runtime.exec_codes["mend"] = 0;
  fall_ill(task);
  EXPECT_EQ(status("a").attempt(), 1u);
  advance(seconds(10));
  EXPECT_EQ(status("a").attempt(), 1u) << "the check may fail twice again";
  advance(seconds(12));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(mendings(), 1u);
  EXPECT_EQ(status("a").last_end(),
            "failed its health check 2 times: exit code 3: said; its recovery command did not help");
}

TEST_F(RecoveryTest, ACommandThatFailsIsFollowedByARestartAtOnce) {
  auto task = checked(v1::Recovery::RUN_COMMAND);
  task.mutable_recovery()->add_command("mend");
  runtime.exec_codes["mend"] = 1;
  fall_ill(task);
  advance(seconds(1));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(status("a").last_end(),
            "failed its health check 2 times: exit code 3: said; its recovery command failed: exit code 1: said");
}

TEST_F(RecoveryTest, ACommandThatTakesTooLongHoldsNoStopUp) {
  auto task = checked(v1::Recovery::RUN_COMMAND);
  task.mutable_recovery()->add_command("mend");  // echoes its input, which never ends
  fall_ill(task);
  EXPECT_EQ(mendings(), 1u);
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(1));
  expect_nothing_left();
}

TEST_F(RecoveryTest, ACommandThatTakesTooLongHasFailed) {
  auto task = checked(v1::Recovery::RUN_COMMAND);
  task.mutable_recovery()->add_command("mend");
  fall_ill(task);
  advance(seconds(20));
  EXPECT_EQ(status("a").attempt(), 1u);
  advance(seconds(12));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_THAT(status("a").last_end(), HasSubstr("its recovery command failed: the command took longer than 30000 ms"));
}

}  // namespace
}  // namespace orchion::node::agent
