// Tasks of a job's run: what they leave, and that it stays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/lifecycle.h"
#include "node/agent/agent_lab.h"
#include "node/agent/output_folder.h"

namespace orchion::node::agent {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class JobTaskTest : public AgentLab {
 protected:
  // A run's task that is to leave "report" at /report.
  v1::TaskAssignment job_task(bool optional = false) {
    auto made = task("a");
    made.mutable_task()->mutable_spec()->set_run("encode.1");
    made.mutable_restart()->set_condition(v1::RestartPolicy::NO);
    auto& output = *made.add_outputs();
    output.set_name("report");
    output.set_path("/report");
    output.set_optional(optional);
    return made;
  }

  void run_to_its_end(v1::TaskAssignment made, int code) {
    server.full = assignments({std::move(made)});
    start_agent();
    advance(seconds(1));
    runtime.end("a", code);
    settle();
  }

  std::string kept() {
    const auto file = options.folder / "outputs/a/report.tar";
    return base::read_file(file).value_or("nothing");
  }

  void tell(v1::TaskAssignment changed) {
    v1::Assignments delta;
    *delta.add_tasks() = std::move(changed);
    server.send_delta(std::move(delta));
    advance(seconds(1));
  }
};

TEST_F(JobTaskTest, WhatItLeftIsKeptUntilItGoes) {
  runtime.files["/report"] = "an archive";
  run_to_its_end(job_task(), 0);
  EXPECT_EQ(state("a"), v1::SUCCEEDED);
  EXPECT_EQ(kept(), "an archive");
  kill_agent();
  start_agent();
  advance(seconds(1));
  EXPECT_EQ(kept(), "an archive");
  EXPECT_EQ(runtime.count("save a /report"), 1u) << "taken once";
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  server.send_delta(delta);
  advance(seconds(1));
  EXPECT_TRUE(server.newest.at("a").removed());
  EXPECT_FALSE(std::filesystem::exists(options.folder / "outputs/a"));
}

// Its checkpoint is of the moment before it began.
TEST_F(JobTaskTest, WhatEndedWhileNobodyLookedIsKeptToo) {
  runtime.files["/report"] = "an archive";
  server.full = assignments({job_task()});
  start_agent();
  advance(seconds(1));
  const auto started = status("a").started_at();
  kill_agent();
  advance(seconds(1));
  runtime.end("a", 0);
  start_agent();
  advance(seconds(1));
  EXPECT_EQ(state("a"), v1::SUCCEEDED);
  EXPECT_EQ(kept(), "an archive");
  EXPECT_EQ(status("a").started_at().seconds(), started.seconds());
}

TEST_F(JobTaskTest, WhatEndedWhileNobodyLookedFailsWithoutItsOutput) {
  server.full = assignments({job_task()});
  start_agent();
  advance(seconds(1));
  kill_agent();
  runtime.end("a", 0);
  start_agent();
  advance(seconds(1));
  EXPECT_EQ(state("a"), v1::FAILED);
  EXPECT_EQ(status("a").message(), "left no output report: there is no /report");
}

TEST_F(JobTaskTest, WhatIsMissingFailsIt) {
  run_to_its_end(job_task(), 0);
  EXPECT_EQ(state("a"), v1::FAILED);
  EXPECT_EQ(status("a").message(), "left no output report: there is no /report");
  EXPECT_EQ(status("a").exit_code(), 0);
}

TEST_F(JobTaskTest, WhatMayBeMissingMay) {
  run_to_its_end(job_task(true), 0);
  EXPECT_EQ(state("a"), v1::SUCCEEDED);
}

TEST_F(JobTaskTest, AFailureIsItsOwnReasonAndLeavesSomethingToo) {
  runtime.files["/report"] = "half";
  run_to_its_end(job_task(), 3);
  EXPECT_EQ(state("a"), v1::FAILED);
  EXPECT_THAT(status("a").message(), HasSubstr("exited with 3"));
  EXPECT_EQ(kept(), "half");
}

TEST_F(JobTaskTest, OneThatIsStoppedStaysUntilItIsToGo) {
  auto made = job_task(true);
  server.full = assignments({made});
  start_agent();
  advance(seconds(1));
  made.mutable_task()->mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
  tell(made);
  EXPECT_EQ(state("a"), v1::STOPPED);
  EXPECT_EQ(runtime.count("release a"), 1u) << "its output stays";
  EXPECT_FALSE(server.newest.at("a").removed());
  core::mark_deleted(*made.mutable_task()->mutable_meta(), clock.wall());
  tell(made);
  EXPECT_TRUE(server.newest.at("a").removed());
}

}  // namespace
}  // namespace orchion::node::agent
