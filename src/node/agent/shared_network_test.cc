// Tasks in the network namespace of another task of their node.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class SharedNetworkTest : public AgentLab {
 protected:
  SharedNetworkTest() { images.add("web:1"); }

  // In the network of "main", whose addresses it has.
  v1::TaskAssignment sidecar(v1::DesiredState desired = v1::DESIRED_RUNNING) const {
    auto assignment = task("sidecar");
    auto& spec = *assignment.mutable_task()->mutable_spec();
    spec.set_service("sidecar");
    spec.mutable_assignment()->set_network_of("main");
    spec.set_desired_state(desired);
    assignment.mutable_container()->set_network_mode(v1::OF_SERVICE);
    assignment.mutable_container()->set_network_service("web");
    return assignment;
  }
  v1::TaskAssignment main_task(v1::DesiredState desired = v1::DESIRED_RUNNING) const {
    auto assignment = task("main");
    assignment.mutable_task()->mutable_spec()->set_desired_state(desired);
    return assignment;
  }

  void run(std::vector<v1::TaskAssignment> tasks) {
    server.full = assignments(std::move(tasks));
    start_agent();
    settle();
  }
  void tell(std::vector<v1::TaskAssignment> tasks) {
    v1::Assignments delta;
    for (auto& task : tasks) *delta.add_tasks() = std::move(task);
    server.send_delta(std::move(delta));
    settle();
  }
};

TEST_F(SharedNetworkTest, ItWaitsForTheNetworkAndJoinsIt) {
  run({sidecar()});
  EXPECT_EQ(state("sidecar"), v1::PREPARING);
  EXPECT_EQ(status("sidecar").message(), "waits for web.1, whose network it shares");
  EXPECT_FALSE(runtime.containers.contains("sidecar"));
  tell({main_task()});
  EXPECT_EQ(state("main"), v1::RUNNING);
  EXPECT_EQ(state("sidecar"), v1::RUNNING);
  EXPECT_EQ(status("sidecar").message(), "");
  EXPECT_EQ(runtime.containers.at("sidecar").config.network_namespace, "/netns/main");
  EXPECT_FALSE(networks.attached.contains("sidecar")) << "it has nothing of its own";
  EXPECT_EQ(runtime.containers.at("sidecar").config.nameservers, (std::vector<std::string>{"10.0.0.1"}));
}

TEST_F(SharedNetworkTest, OneThatIsToldToGoWhileItWaitsGoes) {
  run({sidecar()});
  tell({sidecar(v1::DESIRED_STOPPED)});
  EXPECT_EQ(state("sidecar"), v1::STOPPED);
}

TEST_F(SharedNetworkTest, TheNetworkStaysUntilTheLastHasLeftIt) {
  run({main_task(), sidecar()});
  ASSERT_EQ(state("sidecar"), v1::RUNNING);
  tell({main_task(v1::DESIRED_STOPPED)});
  advance(seconds(20));
  EXPECT_EQ(state("main"), v1::STOPPED) << "its program isn't held up";
  EXPECT_TRUE(networks.attached.contains("main"));
  EXPECT_TRUE(runtime.is_running("sidecar"));
  tell({sidecar(v1::DESIRED_STOPPED)});
  advance(seconds(20));
  EXPECT_EQ(state("sidecar"), v1::STOPPED);
  EXPECT_FALSE(networks.attached.contains("main"));
}

TEST_F(SharedNetworkTest, ItGoesOnWhileTheOtherStartsAnew) {
  run({main_task(), sidecar()});
  const auto pid = runtime.pid("sidecar");
  runtime.end("main", 1);
  advance(seconds(30));
  EXPECT_EQ(status("main").attempt(), 2u);
  EXPECT_EQ(state("main"), v1::RUNNING);
  EXPECT_EQ(runtime.pid("sidecar"), pid);
  runtime.end("sidecar", 1);
  advance(seconds(30));
  EXPECT_EQ(status("sidecar").attempt(), 2u);
  EXPECT_TRUE(runtime.is_running("sidecar"));
}

TEST_F(SharedNetworkTest, TheNextAgentKnowsWhoIsInWhoseNetwork) {
  run({main_task(), sidecar()});
  kill_agent();
  // While nobody looked the one ended for good.
  runtime.end("main", 0);
  server.away = true;
  start_agent();
  advance(seconds(5));
  EXPECT_TRUE(networks.attached.contains("main")) << "the other is still in it";
  EXPECT_TRUE(runtime.is_running("sidecar"));
  runtime.end("sidecar", 1);
  server.away = false;
  advance(seconds(60));
  EXPECT_EQ(state("main"), v1::SUCCEEDED);
  // Its next attempt waits for a network, which doesn't come.
  EXPECT_FALSE(runtime.is_running("sidecar"));
  server.full = assignments({main_task(v1::DESIRED_STOPPED), sidecar(v1::DESIRED_STOPPED)});
  server.hang_up();
  advance(seconds(60));
  EXPECT_FALSE(networks.attached.contains("main"));
}

TEST_F(SharedNetworkTest, AnAdoptedNetworkCanBeEntered) {
  run({main_task()});
  kill_agent();
  server.full = assignments({main_task(), sidecar()});
  start_agent();
  settle();
  EXPECT_EQ(state("sidecar"), v1::RUNNING);
}

TEST_F(SharedNetworkTest, WhereEachStartBringsANetworkItIsRefused) {
  auto in_engine = main_task();
  in_engine.mutable_container()->set_executor("engine");
  auto beside = sidecar();
  run({in_engine, beside});
  advance(seconds(2));
  EXPECT_FALSE(runtime.is_running("sidecar"));
}

TEST_F(SharedNetworkTest, AnEngineThatWiresAtEachStartSaysThatItCant) {
  auto in_engine = sidecar();
  in_engine.mutable_container()->set_executor("engine");
  run({main_task(), in_engine});
  EXPECT_THAT(status("sidecar").message(),
              HasSubstr("Docker can't have it in the network of web: use the executor oci"));
}

}  // namespace
}  // namespace orchion::node::agent
