// What a node does when its cluster has removed it.

#include <gtest/gtest.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::seconds;

class RemovedNodeTest : public AgentLab {
 protected:
  RemovedNodeTest() { ingress = &door_; }
  ~RemovedNodeTest() override { kill_agent(); }

  TestIngress door_;
};

TEST_F(RemovedNodeTest, TakesDownWhatItMade) {
  server.full = assignments({task("a")});
  server.full.mutable_routes()->add_routes()->set_service("web");
  start_agent();
  advance(seconds(1));
  ASSERT_TRUE(runtime.is_running("a"));
  ASSERT_EQ(door_.now.size(), 1u);

  // A control plane that is away, or ends, isn't one that says so.
  server.away = true;
  server.hang_up(base::Code::kNotFound);
  advance(seconds(60));
  EXPECT_TRUE(runtime.is_running("a"));
  EXPECT_EQ(door_.now.size(), 1u);

  server.away = false;
  server.removed_node = true;
  advance(seconds(30));
  EXPECT_TRUE(runtime.containers.empty());
  EXPECT_TRUE(networks.made.empty());
  EXPECT_TRUE(door_.now.empty());
}

}  // namespace
}  // namespace orchion::node::agent
