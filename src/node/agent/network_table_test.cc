#include "node/agent/network_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

class NetworkTableTest : public AgentLab {
 protected:
  v1::Endpoint endpoint(const std::string& task_uid, const std::string& address) {
    v1::Endpoint result;
    result.set_task_uid(task_uid);
    result.set_network_uid("net-uid");
    result.set_address(address);
    result.set_stack("shop");
    result.set_service("db");
    result.set_slot(1);
    result.set_serving(true);
    return result;
  }

  static int count(const std::string& text, const std::string& what) {
    int found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }
};

TEST_F(NetworkTableTest, NamesFollowTheAssignments) {
  server.full = assignments({task("a")});
  *server.full.add_endpoints() = endpoint("db-1", "10.0.0.50");
  start_agent();
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.50"));
  v1::Assignments delta;
  *delta.add_endpoints() = endpoint("db-2", "10.0.0.51");
  auto& gone = *delta.add_removed_endpoints();
  gone.set_task_uid("db-1");
  gone.set_network_uid("net-uid");
  server.send_delta(delta);
  settle();
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.51"));
  // What changed while there was no session.
  server.full.mutable_endpoints()->Clear();
  *server.full.add_endpoints() = endpoint("db-3", "10.0.0.52");
  server.hang_up();
  advance(seconds(1));
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.52"));
}

TEST_F(NetworkTableTest, TasksOnOtherNodesAreLedTo) {
  options.address = [] { return "192.0.2.1"; };
  server.full = assignments({task("a")});
  auto far = endpoint("db-1", "10.0.0.50");
  far.set_node_address("192.0.2.2");
  *server.full.add_endpoints() = far;
  *server.full.add_endpoints() = endpoint("db-2", "10.0.0.51");
  start_agent();
  settle();
  EXPECT_EQ(networks.address, "192.0.2.1");
  EXPECT_THAT(networks.remotes.at("net-uid"), ElementsAre(networks::Remote{"10.0.0.50", "", "192.0.2.2"}));
  v1::Assignments delta;
  far.set_node_address("192.0.2.3");
  *delta.add_endpoints() = far;
  server.send_delta(delta);
  settle();
  EXPECT_THAT(networks.remotes.at("net-uid"), ElementsAre(networks::Remote{"10.0.0.50", "", "192.0.2.3"}));
  delta.Clear();
  delta.add_removed_endpoints()->set_task_uid("db-1");
  delta.mutable_removed_endpoints(0)->set_network_uid("net-uid");
  server.send_delta(delta);
  settle();
  EXPECT_THAT(networks.remotes.at("net-uid"), testing::IsEmpty());
}

TEST_F(NetworkTableTest, WithoutTheWayToOthersTasksHereStart) {
  networks.others_error = base::Error{base::Code::kUnavailable, "no tunnel", {}};
  options.address = [] { return "192.0.2.1"; };
  server.full = assignments({task("a")});
  auto far = endpoint("db-1", "10.0.0.50");
  far.set_node_address("192.0.2.2");
  *server.full.add_endpoints() = far;
  server.full.mutable_peers()->add_peers()->set_address("192.0.2.2");
  testing::internal::CaptureStderr();
  start_agent();
  advance(seconds(30));
  EXPECT_EQ(state("a"), v1::RUNNING);
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(log, "the way to other machines: no tunnel"), 1) << log;
  EXPECT_EQ(count(log, "the way to tasks of network shop/default on other machines: no tunnel"), 1) << log;

  networks.others_error.reset();
  advance(seconds(2));
  EXPECT_THAT(networks.machines.peers, testing::SizeIs(1));
  EXPECT_THAT(networks.remotes.at("net-uid"), ElementsAre(networks::Remote{"10.0.0.50", "", "192.0.2.2"}));
}

TEST_F(NetworkTableTest, OtherMachinesAreKnownAlsoWithoutAControlPlane) {
  server.full = assignments({task("a")});
  server.host_address = "10.255.0.1";
  const networks::Machines known{"10.255.0.1", "", {{"192.0.2.2", "10.255.0.2", std::nullopt}}};
  auto& peer = *server.full.mutable_peers()->add_peers();
  peer.set_address("192.0.2.2");
  peer.set_host_address("10.255.0.2");
  start_agent();
  settle();
  EXPECT_EQ(networks.machines, known);
  advance(seconds(1));
  networks.machines = {};
  kill_agent();
  server.away = true;
  start_agent();
  settle();
  EXPECT_EQ(networks.machines, known);
}

TEST_F(NetworkTableTest, ServicesLeadToWhoServes) {
  server.full = assignments({task("a")});
  for (const std::string number : {"1", "2"}) {
    auto each = endpoint("db-" + number, "10.0.0.5" + number);
    each.set_virtual_address("10.0.0.99");
    each.set_virtual_address6("fd00::99");
    each.set_address6("fd00::5" + number);
    each.set_serving(number == "1");
    *server.full.add_endpoints() = each;
  }
  start_agent();
  settle();
  using networks::VirtualAddress;
  EXPECT_THAT(networks.virtual_addresses,
              ElementsAre(VirtualAddress{"10.0.0.99", {"10.0.0.51"}}, VirtualAddress{"fd00::99", {"fd00::51"}}));
  EXPECT_THAT(found("tasks.db"), ElementsAre("10.0.0.51", "fd00::51")) << "names lead to who serves";
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.99", "fd00::99"));
  v1::Assignments delta;
  *delta.add_endpoints() = server.full.endpoints(1);
  delta.mutable_endpoints(0)->set_serving(true);
  server.send_delta(delta);
  settle();
  EXPECT_THAT(networks.virtual_addresses[0].members, ElementsAre("10.0.0.51", "10.0.0.52"));
  delta.mutable_endpoints(0)->set_serving(false);
  server.send_delta(delta);
  settle();
  EXPECT_THAT(networks.virtual_addresses[0].members, ElementsAre("10.0.0.51"));
}

// Who stops is left by this node at once, and has the time in which others hear of it.
TEST_F(NetworkTableTest, ATaskIsDrainedWhereAnotherStandsIn) {
  auto own = task("a");
  server.full = assignments({own});
  auto here = endpoint("a", "10.0.0.11");
  here.set_virtual_address("10.0.0.99");
  auto other = endpoint("db-2", "10.0.0.52");
  other.set_virtual_address("10.0.0.99");
  *server.full.add_endpoints() = here;
  *server.full.add_endpoints() = other;
  start_agent();
  advance(seconds(1));
  ASSERT_THAT(networks.virtual_addresses[0].members, ElementsAre("10.0.0.11", "10.0.0.52"));
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  server.send_delta(delta);
  settle();
  EXPECT_THAT(networks.virtual_addresses[0].members, ElementsAre("10.0.0.52"));
  EXPECT_TRUE(runtime.containers.at("a").signals.empty()) << "it still answers";
  advance(std::chrono::milliseconds(300));
  EXPECT_FALSE(runtime.is_running("a"));
}

// Whoever brings the word, the newest is the last that the machine hears.
TEST_F(NetworkTableTest, AnOlderWordOfServicesNeverLandsLast) {
  server.full = assignments({task("a")});
  for (const std::string uid : {"a", "b"}) {
    auto each = endpoint(uid, uid == "a" ? "10.0.0.11" : "10.0.0.12");
    each.set_virtual_address("10.0.0.99");
    *server.full.add_endpoints() = each;
  }
  start_agent();
  advance(seconds(1));
  auto delays = std::vector{seconds(0), seconds(2)};
  networks.delay_of_virtual_addresses = [&]() -> base::Co<> {
    if (delays.empty()) co_return base::Result<>{};
    const auto delay = delays.back();
    delays.pop_back();
    co_return co_await clock.sleep(delay);
  };
  v1::Assignments delta;
  *delta.add_endpoints() = server.full.endpoints(1);
  delta.mutable_endpoints(0)->set_task_uid("c");
  delta.mutable_endpoints(0)->set_address("10.0.0.13");
  server.send_delta(delta);
  settle();
  delta.Clear();
  delta.add_removed_tasks("a");
  server.send_delta(delta);
  settle();
  EXPECT_TRUE(runtime.containers.at("a").signals.empty()) << "connections are still led to it";
  advance(seconds(3));
  EXPECT_THAT(networks.virtual_addresses[0].members, ElementsAre("10.0.0.12", "10.0.0.13"));
  EXPECT_FALSE(runtime.is_running("a"));
}

TEST_F(NetworkTableTest, ANetworkStaysUntilItsLastTaskLeft) {
  auto web = task("a");
  web.mutable_container()->mutable_stop_grace_period()->set_seconds(5);
  runtime.stubborn.insert("a");
  server.full = assignments({web});
  start_agent();
  advance(seconds(1));
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(4));
  EXPECT_TRUE(networks.made.contains("net-uid"));
  advance(seconds(2));
  EXPECT_FALSE(networks.made.contains("net-uid"));
  EXPECT_TRUE(resolver.addresses.empty());
}

TEST_F(NetworkTableTest, WhoWasInANetworkThatWentIsForgotten) {
  server.full = assignments({task("a")});
  *server.full.add_endpoints() = endpoint("db-1", "10.0.0.50");
  start_agent();
  ASSERT_THAT(found("db"), ElementsAre("10.0.0.50"));
  v1::Assignments gone;
  gone.add_removed_networks("net-uid");
  server.send_delta(gone);
  settle();
  auto back = assignments({});
  *back.add_endpoints() = endpoint("db-2", "10.0.0.51");
  server.send_delta(back);
  settle();
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.51")) << "nobody told when db-1 ended";
}

TEST_F(NetworkTableTest, TheWordThatANetworkIsGoneComesAfterTheTasksLastFile) {
  server.full = assignments({task("a")});
  server.forgets = false;
  start_agent();
  advance(seconds(1));
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(1));
  EXPECT_FALSE(networks.made.contains("net-uid"));
  EXPECT_THAT(server.removed_networks, ElementsAre()) << "the task's checkpoint is still there";
  v1::ToAgent forget;
  forget.set_forget_task("a");
  server.send(forget);
  settle();
  EXPECT_THAT(server.removed_networks, ElementsAre("net-uid"));
  delta.clear_removed_tasks();
  server.send_delta(delta);
  settle();
  EXPECT_THAT(server.removed_networks, ElementsAre("net-uid", "net-uid")) << "who asks again gets the answer again";
}

TEST_F(NetworkTableTest, ATaskWaitsForItsNetwork) {
  server.full = assignments({task("a")});
  server.full.mutable_networks()->Clear();
  start_agent();
  EXPECT_EQ(state("a"), v1::PREPARING);
  EXPECT_THAT(status("a").message(), testing::HasSubstr("this node has not heard of the network net-uid yet"));
  server.send_delta(assignments({}));
  advance(seconds(1));
  EXPECT_EQ(state("a"), v1::RUNNING);
  // It is held, though it came later than its task.
  v1::Assignments delta;
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(5));
  EXPECT_TRUE(networks.made.contains("net-uid"));
}

TEST_F(NetworkTableTest, FailuresAreTriedAgain) {
  networks.ensure_error = base::Error{base::Code::kResourceExhausted, "no more links", {}};
  networks.remove_error = networks.ensure_error;
  server.full = assignments({task("a")});
  start_agent();
  advance(seconds(2));
  EXPECT_EQ(state("a"), v1::PREPARING);
  networks.ensure_error.reset();
  advance(seconds(10));
  EXPECT_EQ(state("a"), v1::RUNNING);
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(2));
  EXPECT_TRUE(networks.made.contains("net-uid"));
  networks.remove_error.reset();
  advance(seconds(2));
  EXPECT_FALSE(networks.made.contains("net-uid"));
}

}  // namespace
}  // namespace orchion::node::agent
