// Two machines on the real kernel, joined by VXLAN.

#include "node/networks/tunnels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/networks/lab_networks.h"
#include "node/networks/links.h"
#include "node/networks/names.h"
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

constexpr std::uint32_t kVni = 70'001;
constexpr char kHere[] = "10.77.1.2";
constexpr char kThere[] = "10.77.1.9";

class TunnelsTest : public lab::NetworksTest {
 protected:
  TunnelsTest() { make_other_machine(); }

  // A bridge that is a task too, whose only way here is a tunnel.
  void make_other_machine() {
    lab::in_place(machine_.outside(), [] {
      const auto subnet = parse_subnet("10.77.1.0/24").value();
      ASSERT_TRUE(ensure_bridge({"other", subnet, parse_ipv4(kThere).value(), kTunnelledMtu}));
      auto socket = NetlinkSocket::open().value();
      const auto made = ensure_tunnel(socket, {"othertunnel", "other", kVni, parse_ipv4(kOutsideAddress).value()});
      ASSERT_TRUE(made) << made.error().message;
      // The tunnel is what gives the bridge its carrier, and what it sends before its queues run is lost.
      const auto usable = wait_until_usable(socket, "other");
      ASSERT_TRUE(usable) << usable.error().message;
      ASSERT_TRUE(forward_to(socket, "othertunnel", {{parse_ipv4(kHere).value(), parse_ipv4(kHostAddress).value()}}));
    });
  }

  void network(std::uint32_t vni) {
    NetworkConfig config{.uid = "blue", .subnet = "10.77.1.0/24", .gateway = "10.77.1.1"};
    config.vni = vni;
    if (vni != 0) config.underlay = kHostAddress;
    expect_ok(networks_->ensure_network(std::move(config)));
  }

  void remotes(std::vector<Remote> remotes) { expect_ok(networks_->set_remotes("blue", std::move(remotes))); }

  Place attach() {
    expect_ok(networks_->attach({.task_uid = "a", .owner = "a", .attachments = {{"blue", kHere}}, .ports = {}}));
    return networks_->namespace_path("a");
  }

  std::size_t links() {
    auto socket = NetlinkSocket::open().value();
    return list_links(socket, "or").value().size();
  }
};

TEST_F(TunnelsTest, ATaskReachesOneOnAnotherMachineAndIsReached) {
  network(kVni);
  remotes({{kThere, kOutsideAddress}});
  const Place a = attach();
  const Server there(machine_.outside(), kThere, 80);
  EXPECT_EQ(ask(a, kThere, 80), kHere);
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), kThere);
}

TEST_F(TunnelsTest, WhoIsNoPeerIsNotHeard) {
  network(kVni);
  const Place a = attach();
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "");
  remotes({{"10.77.1.77", "192.0.2.77"}});
  EXPECT_EQ(ask(machine_.outside(), kHere, 80), "");
  EXPECT_THAT(nft("list ruleset"), HasSubstr("192.0.2.77"));
  remotes({});
  EXPECT_THAT(nft("list ruleset"), Not(HasSubstr("192.0.2.77")));
}

TEST_F(TunnelsTest, AnAddressThatMovesHereIsReachedHere) {
  network(kVni);
  remotes({{kHere, kOutsideAddress}, {kThere, kOutsideAddress}});
  remotes({{kThere, kOutsideAddress}});
  const Place a = attach();
  const Server here(a, kHere, 80);
  EXPECT_EQ(ask({}, kHere, 80), "10.77.1.1");
}

TEST_F(TunnelsTest, ANewProcessGoesOnWithWhatIsThere) {
  network(kVni);
  remotes({{kThere, kOutsideAddress}, {"10.77.1.10", kOutsideAddress}});
  const Place a = attach();
  renew();
  network(kVni);
  const Server there(machine_.outside(), kThere, 80);
  remotes({{kThere, kOutsideAddress}});
  EXPECT_EQ(ask(a, kThere, 80), kHere);
}

TEST_F(TunnelsTest, ANetworkThatStaysHereHasNoTunnel) {
  const auto before = links();
  network(0);
  EXPECT_EQ(links(), before + 1);
  network(kVni);
  EXPECT_EQ(links(), before + 2);
  network(0);
  EXPECT_EQ(links(), before + 1);
  network(kVni);
  expect_ok(networks_->remove_network("blue"));
  EXPECT_EQ(links(), before);
  EXPECT_THAT(nft("list tables"), IsEmpty());
}

TEST_F(TunnelsTest, WhatACrashLeftIsSwept) {
  const auto before = links();
  network(kVni);
  renew();
  expect_ok(networks_->sweep({}, {}));
  EXPECT_EQ(links(), before);
}

}  // namespace
}  // namespace orchion::node::networks
