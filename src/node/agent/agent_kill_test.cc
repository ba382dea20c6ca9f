// The agent is killed after every turn of its loop; the next one must find its way.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AgentKill : public AgentLab {
 protected:
  // A few turns of the loop; false when it had nothing more to do.
  bool turn(int turns) {
    io.restart();
    for (int i = 0; i < turns; ++i) {
      if (io.poll_one() == 0) return false;
    }
    return true;
  }

  void begin(v1::DesiredState desired) {
    auto web = task("a");
    web.mutable_task()->mutable_spec()->mutable_assignment()->add_ports()->set_host_port(80);
    web.mutable_task()->mutable_spec()->set_desired_state(desired);
    server.full = assignments({web});
  }

  void kill_and_replace() {
    kill_agent();
    start_agent();
    advance(seconds(2));
  }

  void expect_one_first_attempt() {
    EXPECT_EQ(state("a"), v1::RUNNING);
    EXPECT_EQ(status("a").attempt(), 1u);
    EXPECT_EQ(status("a").restarts(), 0u);
    EXPECT_EQ(runtime.count("start a 1"), 1u);
    EXPECT_EQ(runtime.containers.size(), 1u);
    EXPECT_TRUE(networks.published.contains("a"));
    EXPECT_EQ(status("a").pid(), runtime.pid("a"));
  }
};

constexpr int kTurnsMax = 150;  // more than any of these takes; checked below

TEST_F(AgentKill, WhileStarting) {
  begin(v1::DESIRED_RUNNING);
  bool reached_end = false;
  for (int turns = 0; turns < kTurnsMax && !reached_end; ++turns) {
    SCOPED_TRACE(turns);
    ASSERT_TRUE(try_start_agent().has_value());
    boost::asio::co_spawn(io, agent->run(), boost::asio::detached);
    reached_end = !turn(turns);
    kill_and_replace();
    expect_one_first_attempt();
    if (HasFailure()) return;
    forget_everything();
  }
  EXPECT_TRUE(reached_end);
}

TEST_F(AgentKill, WhileStopping) {
  bool reached_end = false;
  for (int turns = 0; turns < kTurnsMax && !reached_end; ++turns) {
    SCOPED_TRACE(turns);
    begin(v1::DESIRED_RUNNING);
    start_agent();
    advance(seconds(1));
    begin(v1::DESIRED_STOPPED);
    v1::Assignments delta;
    *delta.add_tasks() = server.full.tasks(0);
    server.send_delta(delta);
    reached_end = !turn(turns);
    kill_and_replace();
    EXPECT_EQ(state("a"), v1::STOPPED);
    EXPECT_TRUE(server.newest.at("a").removed());
    EXPECT_EQ(runtime.count("start a 2"), 0u);
    EXPECT_TRUE(runtime.containers.empty());
    EXPECT_TRUE(networks.attached.empty());
    if (HasFailure()) return;
    forget_everything();
  }
  EXPECT_TRUE(reached_end);
}

TEST_F(AgentKill, WhileRestarting) {
  begin(v1::DESIRED_RUNNING);
  bool reached_end = false;
  for (int turns = 0; turns < kTurnsMax && !reached_end; ++turns) {
    SCOPED_TRACE(turns);
    start_agent();
    advance(seconds(1));
    runtime.end("a", 1);
    reached_end = !turn(turns);
    clock.advance(milliseconds(100));
    if (reached_end) settle();
    kill_and_replace();
    EXPECT_EQ(state("a"), v1::RUNNING);
    EXPECT_EQ(status("a").attempt(), 2u);
    EXPECT_EQ(status("a").restarts(), 1u);
    EXPECT_EQ(runtime.count("start a 2"), 1u);
    if (HasFailure()) return;
    forget_everything();
  }
  EXPECT_TRUE(reached_end);
}

}  // namespace
}  // namespace orchion::node::agent
