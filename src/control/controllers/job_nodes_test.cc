// What becomes of runs whose node is lost, drained or removed.

#include <algorithm>

#include "control/controllers/job_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

JobChange on_loss(v1::OnNodeLoss loss) {
  return [loss](v1::JobSpec& job) { job.set_on_node_loss(loss); };
}

class JobNodes : public JobFixture {
 protected:
  // Every node but the run's; returns the run's.
  std::string begin(v1::OnNodeLoss loss) {
    add_node("b");
    apply("shop", one_job("app:1", on_loss(loss)));
    settle();
    run_ = ask();
    settle();
    return tasks_of(run_).at(0)->spec().assignment().node();
  }
  std::string run_;
};

TEST_F(JobNodes, BegunAnewElsewhere) {
  const auto node = begin(v1::REPLACE);
  silence(node);
  advance(seconds(40));
  EXPECT_EQ(unended(run_), 1u);
  ASSERT_EQ(tasks_of(run_).size(), 2u);
  EXPECT_EQ(state(run_), v1::RUN_ACTIVE);
  EXPECT_EQ(status(run_).failed(), 0u) << "no failure of the run's";
  bring_back(node);
  settle();
  EXPECT_EQ(unended(run_), 1u);
}

TEST_F(JobNodes, WaitedFor) {
  const auto node = begin(v1::WAIT);
  silence(node);
  advance(seconds(300));
  ASSERT_EQ(tasks_of(run_).size(), 1u);
  EXPECT_THAT(status(run_).message(), HasSubstr("which does not answer"));
  bring_back(node);
  settle();
  EXPECT_EQ(tasks_of(run_)[0]->status().state(), v1::RUNNING);
  EXPECT_EQ(status(run_).message(), "");
}

TEST_F(JobNodes, FencedIsNeverTwiceAtOnce) {
  const auto node = begin(v1::FENCE);
  silence(node);
  advance(seconds(31));
  EXPECT_EQ(tasks_of(run_).size(), 1u) << "its lease is over, its grace is not";
  advance(seconds(18));
  EXPECT_EQ(tasks_of(run_).size(), 1u);
  advance(seconds(5));
  EXPECT_EQ(tasks_of(run_).size(), 2u);
}

TEST_F(JobNodes, LeavesADrainedNode) {
  const auto node = begin(v1::REPLACE);
  change_node(node, [](v1::Node& changed) { changed.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  settle();
  EXPECT_EQ(unended(run_), 1u);
  for (const auto& task : tasks_of(run_)) EXPECT_NE(task->spec().assignment().node(), node);
  EXPECT_EQ(status(run_).failed(), 0u);
}

TEST_F(JobNodes, WhatEndedHoldsUpNoNodeThatLeaves) {
  add_node("b");
  apply("shop", one_job("app:work", [](v1::JobSpec& job) { job.set_completions(4); }));
  settle();
  const auto run = ask();
  settle();
  EXPECT_EQ(state(run), v1::RUN_SUCCEEDED);
  for (const auto& name : {"a", "b"})
    change_node(name, [this](v1::Node& node) {
      node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED);
      core::add_finalizer(*node.mutable_meta(), core::kNodeFinalizer);
      core::mark_deleted(*node.mutable_meta(), clock_.wall());
    });
  advance(seconds(3));
  EXPECT_TRUE(tasks_of(run).empty());
  EXPECT_TRUE(view().nodes().all().empty());
  EXPECT_EQ(state(run), v1::RUN_SUCCEEDED);
}

}  // namespace
}  // namespace orchion::control::controllers
