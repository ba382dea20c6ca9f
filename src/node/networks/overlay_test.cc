// Two machines on the real kernel, joined by VXLAN.

#include "node/networks/overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "node/networks/lab_networks.h"
#include "node/networks/links.h"
#include "node/networks/names.h"
#include "node/networks/tunnels.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {
namespace {

using lab::ask;
using lab::kHostAddress;
using lab::kOutsideAddress;
using lab::Place;
using lab::Server;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kCluster[] = "the-cluster";
constexpr char kHere[] = "10.77.1.2";
constexpr char kHere6[] = "fd77::a4d:102";
constexpr char kThere[] = "10.77.1.9";
constexpr char kThere6[] = "fd77::a4d:109";
constexpr char kHostHere[] = "10.255.0.1";
constexpr char kHostThere[] = "10.255.0.2";
constexpr char kService[] = "10.77.1.100";

class OverlayTest : public lab::NetworksTest {
 protected:
  OverlayTest() { make_other_machine(); }

  // A machine that is a task too.
  void make_other_machine() {
    lab::in_place(machine_.outside(), [] {
      auto socket = NetlinkSocket::open().value();
      const auto made =
          ensure_overlay(socket, {"otheroverlay", overlay_number(kCluster), parse_ipv4(kOutsideAddress).value()});
      ASSERT_TRUE(made) << made.error().message;
      const auto link = find_link(socket, "otheroverlay").value();
      for (auto request : {add_address(link.index, parse_ipv4(kThere).value(), 32),
                           add_address(link.index, parse_ipv6(kThere6).value(), 128)}) {
        ASSERT_TRUE(socket.run_one(std::move(request), "an address"));
      }
      const auto usable = wait_until_addressed(socket, link.index);
      ASSERT_TRUE(usable) << usable.error().message;
      const RemoteTask here{parse_ipv4(kHere).value(), parse_ipv6(kHere6).value(), parse_ipv4(kHostAddress).value()};
      const RemoteTask host{parse_ipv4(kHostHere).value(), std::nullopt, parse_ipv4(kHostAddress).value()};
      const auto routed = route_to(socket, "otheroverlay", {here, host});
      ASSERT_TRUE(routed) << routed.error().message;
    });
  }

  // It speaks as a machine now, no more as a task.
  void make_other_a_host() {
    lab::in_place(machine_.outside(), [] {
      auto socket = NetlinkSocket::open().value();
      const auto link = find_link(socket, "otheroverlay").value();
      ASSERT_TRUE(socket.run_one(add_address(link.index, parse_ipv4(kHostThere).value(), 32), "giving"));
      ASSERT_TRUE(socket.run_one(delete_address(link.index, parse_ipv4(kThere).value(), 32), "taking away"));
    });
  }

  void know_address(const std::string& address = kHostAddress) { expect_ok(networks_->set_address(address, kCluster)); }
  void network(const std::string& uid = "blue", bool internal = false) {
    expect_ok(networks_->ensure_network({.uid = uid,
                                         .subnet = "10.77.1.0/24",
                                         .gateway = "10.77.1.1",
                                         .internal = internal,
                                         .subnet6 = "fd77::/64",
                                         .gateway6 = "fd77::a4d:101"}));
  }
  void peers(const std::string& machine = kOutsideAddress) {
    expect_ok(networks_->set_machines({kHostHere, "", {{machine, kHostThere, std::nullopt}}}));
  }
  void remotes(std::vector<Remote> remotes) { expect_ok(networks_->set_remotes("blue", std::move(remotes))); }

  Place attach() {
    expect_ok(
        networks_->attach({.task_uid = "a", .owner = "a", .attachments = {{"blue", kHere, kHere6}}, .ports = {}}));
    return networks_->namespace_path("a");
  }

  int index() {
    auto socket = NetlinkSocket::open().value();
    return find_link(socket, Names(id_).overlay()).value().index;
  }

  std::size_t links() {
    auto socket = NetlinkSocket::open().value();
    return list_links(socket, "or").value().size();
  }
};

TEST_F(OverlayTest, ATaskReachesOneOnAnotherMachineAndIsReached) {
  know_address();
  network();
  remotes({{kThere, kThere6, kOutsideAddress}});
  const Place a = attach();
  const Server there(machine_.outside(), kThere, 80);
  EXPECT_EQ(ask(a, kThere, 80), kHere);
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), kThere);
  const Server there6(machine_.outside(), kThere6, 81);
  EXPECT_EQ(ask(a, kThere6, 81), kHere6);
}

// What stands for a WireGuard that can't be had.
class BrokenWireguard final : public WireguardEngine {
 public:
  std::string name() const override { return "broken"; }
  base::Result<> ensure(const std::string&) override { return broken(); }
  base::Result<WireguardDevice> read(const std::string&) override { return broken(); }
  base::Result<> apply(const std::string&, const WireguardChange&) override { return broken(); }
  base::Result<> remove(const std::string&) override { return {}; }

 private:
  static std::unexpected<base::Error> broken() { return base::fail(base::Code::kUnavailable, "no WireGuard here"); }
};

TEST_F(OverlayTest, WithoutTheWayToOthersTasksHereHaveTheirNetwork) {
  auto tunnels = Tunnels::open({id_, machine_.folder() / "mesh", 4604}, std::make_unique<BrokenWireguard>());
  ASSERT_TRUE(tunnels) << tunnels.error().message;
  loop_.on_loop([&] { networks_.reset(); });
  networks_ = std::make_unique<LinuxNetworks>(
      loop_.executor(), *workers_,
      LinuxNetworks::Options{.cluster_short_id = id_, .run_folder = machine_.folder(), .tunnels = *tunnels});
  expect_ok(networks_->set_machines({kHostHere, "10.255.128.1", {{kOutsideAddress, kHostThere, std::nullopt}}}));
  know_address();
  network();
  const auto led = loop_.run(networks_->set_remotes("blue", {{kThere, kThere6, kOutsideAddress}}));
  ASSERT_FALSE(led);
  EXPECT_THAT(led.error().message, HasSubstr("no WireGuard here"));
  {
    const Place a = attach();
    const Server here(a, kHere, 80);
    EXPECT_EQ(ask({}, kHere, 80), "10.77.1.1");
  }
  expect_ok(networks_->detach("a"));
  expect_ok(networks_->remove_network("blue"));
  EXPECT_EQ(links(), 0u);
}

TEST_F(OverlayTest, WhoIsNoPeerIsNotHeard) {
  know_address();
  network();
  const Place a = attach();
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "");
  remotes({{"10.77.1.77", "", "192.0.2.77"}});
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "");
  EXPECT_THAT(nft("list ruleset"), HasSubstr("192.0.2.77"));
  remotes({});
  EXPECT_THAT(nft("list ruleset"), Not(HasSubstr("192.0.2.77")));
}

TEST_F(OverlayTest, APeerSpeaksForItsOwnTasksAlone) {
  know_address();
  network();
  remotes({{"10.77.1.77", "", kOutsideAddress}});
  const Place a = attach();
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "") << "10.77.1.9 is none of that machine's tasks";
}

TEST_F(OverlayTest, AnAddressThatMovesHereIsReachedHere) {
  know_address();
  network();
  remotes({{kHere, kHere6, kOutsideAddress}, {kThere, kThere6, kOutsideAddress}});
  remotes({{kThere, kThere6, kOutsideAddress}});
  const Place a = attach();
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask({}, kHere, 80), "10.77.1.1");
}

TEST_F(OverlayTest, ThisMachineItselfReachesTasksOfAnother) {
  peers();
  know_address();
  network();
  remotes({{kThere, kThere6, kOutsideAddress}});
  const Server there(machine_.outside(), kThere, 80);
  const Server there_udp(machine_.outside(), kThere, 53, true);
  EXPECT_EQ(ask({}, kThere, 80), kHostHere);
  EXPECT_EQ(lab::ask_udp({}, kThere, 53), std::string(kHostHere) + " ?");
}

TEST_F(OverlayTest, ThisMachineItselfReachesServices) {
  peers();
  know_address();
  network();
  const Place a = attach();
  remotes({{kThere, kThere6, kOutsideAddress}});
  expect_ok(networks_->set_virtual_addresses({{kService, {kHere, kThere}}}));
  const Server here(a, kHere, 80);
  const Server there(machine_.outside(), kThere, 80);
  const std::set<std::string> seen{ask({}, kService, 80), ask({}, kService, 80)};
  EXPECT_THAT(seen, testing::UnorderedElementsAre("10.77.1.1", kHostHere)) << "both, in turn";
  expect_ok(networks_->set_virtual_addresses({{kService, {kThere}}}));
  EXPECT_EQ(ask({}, kService, 80), kHostHere);
  renew();
  know_address();
  EXPECT_EQ(ask({}, kService, 80), kHostHere) << "the kernel goes on";
  expect_ok(networks_->set_virtual_addresses({{kService, {}}}));
  EXPECT_EQ(ask({}, kService, 80), "") << "nobody is behind it";
}

TEST_F(OverlayTest, AnotherMachineReachesTasksAsThisOneDoes) {
  peers();
  know_address();
  network("blue", true);
  const Place a = attach();
  make_other_a_host();
  const Server here(a, kHere, 80);
  Policies nobody;
  nobody.groups["shop/none"] = {};
  nobody.tasks["a"] = {"a", {kHere, kHere6}, "shop/none", std::nullopt};
  expect_ok(networks_->set_policies(nobody));
  EXPECT_EQ(ask({}, kHere, 80), "10.77.1.1");
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "10.77.1.1");
  expect_ok(networks_->set_machines({kHostHere, "", {}}));
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "") << "it is none of the cluster's any more";
}

TEST_F(OverlayTest, AMachineSpeaksForItselfAlone) {
  peers("192.0.2.77");
  know_address();
  network();
  remotes({{"10.77.1.77", "", kOutsideAddress}});
  const Place a = attach();
  make_other_a_host();
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "") << "10.255.0.2 is another machine's";
}

TEST_F(OverlayTest, TasksDoNotReachOtherMachinesThemselves) {
  peers();
  know_address();
  network();
  const Place a = attach();
  make_other_a_host();
  const Server there(machine_.outside(), kHostThere, 80);
  EXPECT_EQ(ask(a, kHostThere, 80), "");
}

TEST_F(OverlayTest, NothingIsLeftOfAMachinesWays) {
  peers();
  know_address();
  network();
  remotes({{kThere, "", kOutsideAddress}});
  expect_ok(networks_->set_virtual_addresses({{kService, {kThere}}}));
  auto socket = NetlinkSocket::open().value();
  const auto loopback = find_link(socket, "lo").value().index;
  EXPECT_EQ(list_routes(socket, loopback).value().size(), 1u);
  renew();
  expect_ok(networks_->sweep({}, {}));
  EXPECT_THAT(list_routes(socket, loopback).value(), testing::IsEmpty());
}

TEST_F(OverlayTest, ANewProcessGoesOnWithWhatIsThere) {
  know_address();
  network();
  remotes({{kThere, kThere6, kOutsideAddress}, {"10.77.1.10", "", kOutsideAddress}});
  const Place a = attach();
  const Server there(machine_.outside(), kThere, 80);
  const int link = index();
  renew();
  know_address();
  EXPECT_EQ(ask(a, kThere, 80), kHere);
  network();
  EXPECT_EQ(ask(a, kThere, 80), kHere) << "nobody has spoken of its other machines yet";
  remotes({{kThere, kThere6, kOutsideAddress}});
  EXPECT_EQ(ask(a, kThere, 80), kHere);
  remotes({});
  EXPECT_EQ(ask(a, kThere, 80), "");
  EXPECT_EQ(index(), link) << "it was never made anew";
}

TEST_F(OverlayTest, WithoutAnAddressThereIsNone) {
  const auto before = links();
  network();
  EXPECT_EQ(links(), before);
  know_address();
  EXPECT_EQ(links(), before + 1);
  know_address("");
  EXPECT_EQ(links(), before);
  know_address();
  expect_ok(networks_->remove_network("blue"));
  EXPECT_EQ(links(), before);
  EXPECT_THAT(nft("list tables"), IsEmpty());
  const auto unknown = loop_.run(networks_->set_address("198.51.100.1", kCluster));
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("this machine has no address 198.51.100.1"));
}

TEST_F(OverlayTest, TasksLinksCarryWhatItCarries) {
  know_address();
  network();
  attach();
  auto socket = NetlinkSocket::open().value();
  const int mtu = find_link(socket, "up0").value().mtu - kTunnelBytes;
  EXPECT_EQ(find_link(socket, Names(id_).veth("a", 0)).value().mtu, mtu);
  EXPECT_EQ(find_link(socket, Names(id_).overlay()).value().mtu, mtu);
}

TEST_F(OverlayTest, WhatACrashLeftGoesWithTheRest) {
  const auto before = links();
  know_address();
  network();
  renew();
  expect_ok(networks_->sweep({}, {}));
  EXPECT_EQ(links(), before);
  EXPECT_THAT(nft("list tables"), IsEmpty());
}

}  // namespace
}  // namespace orchion::node::networks
