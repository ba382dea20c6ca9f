// Tasks that ask for one of the machine's ways to run them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using testing::HasSubstr;

class ExecutorsTest : public AgentLab {
 protected:
  // The tasks run under a fresh agent.
  void run_tasks(std::vector<v1::TaskAssignment> tasks) {
    server.full = assignments(std::move(tasks));
    start_agent();
    advance(std::chrono::seconds(1));
  }

  v1::TaskAssignment task_in(const std::string& executor, const std::string& uid) const {
    auto result = task(uid);
    result.mutable_container()->set_executor(executor);
    return result;
  }
};

TEST_F(ExecutorsTest, ATaskRunsInWhatItAsksFor) {
  run_tasks({task_in("engine", "a"), task_in("", "b"), task_in("oci", "c")});
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_FALSE(runtime.is_running("a"));
  EXPECT_TRUE(runtime.is_running("b"));
  EXPECT_TRUE(runtime.is_running("c"));
  EXPECT_EQ(status("a").executor(), "engine");
  EXPECT_EQ(status("b").executor(), "oci");
}

TEST_F(ExecutorsTest, OneThatWiresAtEachStartIsWiredOnlyThen) {
  run_tasks({task_in("engine", "a")});
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_EQ(engine.containers.at("a").config.network_namespace, "/netns/a") << "it has a network of its own";
  EXPECT_TRUE(finish(agent->wire("a", "/proc/7/ns/net")).has_value());
  EXPECT_EQ(networks.attached_at.at("a"), "/proc/7/ns/net");
  engine.end("a", 1);
  advance(std::chrono::seconds(1));
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_TRUE(finish(agent->wire("a", "/proc/8/ns/net")).has_value());
  EXPECT_EQ(networks.attached_at.at("a"), "/proc/8/ns/net");
  EXPECT_EQ(finish(agent->wire("nobody", "/proc/9/ns/net")).error().code, base::Code::kNotFound);
}

TEST_F(ExecutorsTest, ANewAgentFindsEachTaskWhereItWasBegun) {
  run_tasks({task_in("engine", "a"), task_in("oci", "b")});
  kill_agent();
  engine.containers["stranger"].info.id = "stranger";
  start_agent();
  EXPECT_EQ(engine.count("start a 1"), 1u);
  EXPECT_EQ(runtime.count("start b 1"), 1u);
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_TRUE(runtime.is_running("b"));
  EXPECT_FALSE(engine.containers.contains("stranger"));
}

TEST_F(ExecutorsTest, OneThatIsNotThereIsWaitedForWithASentence) {
  run_tasks({task_in("docker", "a")});
  EXPECT_THAT(status("a").message(), HasSubstr("this node has no docker: install it there, and start it"));
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(std::chrono::seconds(1));
  expect_nothing_left();
}

TEST_F(ExecutorsTest, TasksOfOneThatDoesNotAnswerAreLeftAloneUntilItDoes) {
  run_tasks({task_in("engine", "a"), task_in("oci", "b")});
  kill_agent();
  engine.containers["stranger"].info.id = "stranger";
  engine.list_error = base::Error{base::Code::kUnavailable, "the engine does not answer: start it", {}};
  server.full = assignments({task_in("engine", "a"), task_in("oci", "b")});
  start_agent();
  advance(std::chrono::seconds(6));
  EXPECT_TRUE(runtime.is_running("b")) << "the others go on";
  runtime.end("b", 1);
  advance(std::chrono::seconds(6));
  EXPECT_EQ(runtime.count("start b 2"), 1u) << "and are looked after";
  EXPECT_EQ(engine.count("start a 1"), 1u);
  EXPECT_EQ(engine.count("start a 2"), 0u);
  EXPECT_EQ(networks.made.count("net-uid"), 1u);
  EXPECT_EQ(status("a").message(), "the engine does not answer: start it");
  EXPECT_THAT(images.used, testing::Contains(task("a").container().image()));

  engine.list_error.reset();
  advance(std::chrono::seconds(6));
  EXPECT_EQ(status("a").message(), "");
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(engine.count("start a 1"), 1u) << "adopted, not begun again";
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_FALSE(engine.containers.contains("stranger"));
  engine.end("a", 1);
  advance(std::chrono::seconds(6));
  EXPECT_EQ(engine.count("start a 2"), 1u) << "and looked after";
}

TEST_F(ExecutorsTest, WhatNobodyWantsAnyMoreGoesWhenItsExecutorAnswers) {
  run_tasks({task_in("engine", "a"), task_in("engine", "b")});
  kill_agent();
  engine.list_error = base::Error{base::Code::kUnavailable, "the engine does not answer: start it", {}};
  server.full = assignments({task_in("engine", "b")});
  start_agent();
  v1::Assignments delta;
  delta.add_removed_tasks("b");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(std::chrono::seconds(6));
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_TRUE(engine.is_running("b"));
  EXPECT_FALSE(server.newest.at("b").removed()) << "nobody could know";

  engine.list_error.reset();
  advance(std::chrono::seconds(20));
  EXPECT_TRUE(server.newest.at("a").removed());
  EXPECT_TRUE(server.newest.at("b").removed());
  expect_nothing_left();
}

TEST_F(ExecutorsTest, WhatAnOlderAgentBeganIsFoundThoughItDidNotSayWhere) {
  run_tasks({task_in("", "a"), task_in("engine", "b")});
  kill_agent();
  CheckpointFolder checkpoints(options.folder, nullptr);
  auto content = finish(checkpoints.load());
  ASSERT_TRUE(content.has_value());
  for (auto& checkpoint : content->tasks) {
    checkpoint.mutable_status()->clear_executor();
    ASSERT_TRUE(finish(checkpoints.save_task(checkpoint, Durability::kDisk)).has_value());
  }
  start_agent();
  advance(std::chrono::seconds(1));
  EXPECT_TRUE(runtime.is_running("a"));
  EXPECT_TRUE(engine.is_running("b"));
  EXPECT_EQ(status("a").attempt(), 1u);
  EXPECT_EQ(status("b").attempt(), 1u);
}

TEST_F(ExecutorsTest, OneThatIsStartedLaterIsFound) {
  run_tasks({task_in("engine", "a")});
  kill_agent();
  has_engine = false;
  server.full = assignments({task_in("engine", "a"), task_in("engine", "new")});
  start_agent();
  advance(std::chrono::seconds(6));
  EXPECT_TRUE(engine.is_running("a"));
  EXPECT_EQ(status("a").message(), "engine isn't there: start it");
  EXPECT_THAT(status("new").message(), HasSubstr("this node has no engine: install it there, and start it"));

  has_engine = true;
  advance(std::chrono::seconds(30));
  EXPECT_EQ(status("a").message(), "");
  EXPECT_EQ(engine.count("start a 1"), 1u);
  EXPECT_EQ(engine.count("start new 1"), 1u);
  engine.end("a", 1);
  advance(std::chrono::seconds(6));
  EXPECT_EQ(engine.count("start a 2"), 1u);
}

}  // namespace
}  // namespace orchion::node::agent
