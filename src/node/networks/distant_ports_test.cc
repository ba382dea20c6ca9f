// Ports of another machine, served by this one too, on the real kernel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/networks/lab_networks.h"

namespace orchion::node::networks {
namespace {

using lab::ask;
using lab::ask_udp;
using lab::kHostAddress;
using lab::kOutsideAddress;
using lab::Place;
using lab::Server;
using testing::HasSubstr;
using testing::Not;

constexpr char kTask[] = "10.77.1.2";

// "outside" is the other machine and a client at once.
class DistantPortsTest : public lab::NetworksTest {
 protected:
  void distant(std::vector<DistantPort> ports) { expect_ok(networks_->set_distant_ports(std::move(ports))); }
  static DistantPort web() { return {.owner = "shop/web", .port = 8080, .udp = false, .nodes = {kOutsideAddress}}; }

  base::Result<> attach(const std::string& owner) {
    expect_ok(networks_->ensure_network({.uid = "blue", .subnet = "10.77.1.0/24", .gateway = "10.77.1.1"}));
    return loop_.run(networks_->attach({.task_uid = "a",
                                        .owner = owner,
                                        .attachments = {{"blue", kTask}},
                                        .ports = {{.host_port = 8080, .container_port = 80}}}));
  }

  const Place host_;
};

TEST_F(DistantPortsTest, AnswerOnEveryAddressOfThisMachine) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
  distant({web()});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress);
  EXPECT_EQ(ask(host_, kHostAddress, 8080), kHostAddress);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), kHostAddress);
  EXPECT_EQ(ask(host_, "::1", 8080), kHostAddress);
  distant({});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "");
  EXPECT_THAT(nft("list ruleset"), Not(HasSubstr("orchion"))) << "the last one takes the table with it";
}

TEST_F(DistantPortsTest, DatagramsToo) {
  const Server there(machine_.outside(), kOutsideAddress, 5300, true);
  distant({{.owner = "shop/dns", .port = 5300, .udp = true, .nodes = {kOutsideAddress}}});
  EXPECT_EQ(ask_udp(machine_.outside(), kHostAddress, 5300, "hi"), std::string(kHostAddress) + " hi");
  EXPECT_EQ(ask_udp(host_, "127.0.0.1", 5300, "hi"), std::string(kHostAddress) + " hi");
  EXPECT_EQ(ask_udp(host_, "::1", 5300, "hi"), std::string(kHostAddress) + " hi");
}

TEST_F(DistantPortsTest, ATaskHereGoesBeforeAndIsStoodInFor) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  distant({web()});
  const auto attached = attach("shop/web");
  ASSERT_TRUE(attached) << attached.error().message;
  const Server here(networks_->namespace_path("a"), kTask, 80);
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress) << "it isn't published yet";
  expect_ok(networks_->publish("a"));
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress) << "straight to the task";
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1");
  EXPECT_EQ(ask(host_, "::1", 8080), "10.77.1.1");
  expect_ok(networks_->unpublish("a"));
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), kHostAddress);
  expect_ok(networks_->detach("a"));
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress);
}

TEST_F(DistantPortsTest, ComeLaterThanTheTaskHere) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  ASSERT_TRUE(attach("shop/web"));
  const Server here(networks_->namespace_path("a"), kTask, 80);
  expect_ok(networks_->publish("a"));
  distant({web()});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
  expect_ok(networks_->unpublish("a"));
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), kHostAddress);
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress);
}

TEST_F(DistantPortsTest, GiveWayToAnotherOwnersTask) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  distant({web()});
  const auto attached = attach("other/web");
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "") << "nobody else's service answers for it";
  const Server here(networks_->namespace_path("a"), kTask, 80);
  expect_ok(networks_->publish("a"));
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
  distant({web()});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
  expect_ok(networks_->detach("a"));
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress) << "free again";
}

TEST_F(DistantPortsTest, GiveWayToATaskOnOneAddress) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  distant({web()});
  expect_ok(networks_->ensure_network({.uid = "blue", .subnet = "10.77.1.0/24", .gateway = "10.77.1.1"}));
  const TaskNetwork task{.task_uid = "a",
                         .owner = "other/web",
                         .attachments = {{"blue", kTask}},
                         .ports = {{.host_ip = "127.0.0.1", .host_port = 8080, .container_port = 80}}};
  auto attached = loop_.run(networks_->attach(task));
  if (!attached) attached = loop_.run(networks_->attach(task));  // as the agent does; the relay was in the way
  ASSERT_TRUE(attached) << attached.error().message;
  const Server here(networks_->namespace_path("a"), kTask, 80);
  expect_ok(networks_->publish("a"));
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1");
}

TEST_F(DistantPortsTest, APortOfAnotherProgramStaysItsOwn) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  const Server program(host_, kHostAddress, 8080);
  distant({web()});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
}

TEST_F(DistantPortsTest, ANewProcessTakesThemOver) {
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  distant({web()});
  renew();
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress) << "the kernel goes on";
  distant({web()});
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), kHostAddress);
  renew();
  distant({});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
  EXPECT_THAT(nft("list ruleset"), Not(HasSubstr("orchion")));
}

TEST_F(DistantPortsTest, PassAFirewallThatDropsWhatItDoesntKnow) {
  nft("add table ip filter");
  nft("add chain ip filter DOCKER-USER");
  nft("add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }");
  nft("add rule ip filter FORWARD jump DOCKER-USER");
  const Server there(machine_.outside(), kOutsideAddress, 8080);
  distant({web()});
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kHostAddress);
  const std::string mended = nft("list table ip filter");
  distant({web()});
  EXPECT_EQ(nft("list table ip filter"), mended) << "once is enough";
  distant({});
  EXPECT_THAT(nft("list table ip filter"), Not(HasSubstr("orchion")));
}

}  // namespace
}  // namespace orchion::node::networks
