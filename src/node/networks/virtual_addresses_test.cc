// Services' virtual addresses and IPv6, on the real kernel.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <set>

#include "node/networks/lab_networks.h"

namespace orchion::node::networks {
namespace {

using lab::ask;
using lab::ask_udp;
using lab::Place;
using lab::Server;
using testing::HasSubstr;
using testing::Not;

constexpr char kService[] = "10.77.1.100";
constexpr char kService6[] = "fd77:1::a4d:164";

class VirtualAddressesTest : public lab::NetworksTest {
 protected:
  void network(const std::string& uid, int number, bool internal = false) {
    const auto text = std::to_string(number);
    expect_ok(networks_->ensure_network({.uid = uid,
                                         .subnet = "10.77." + text + ".0/24",
                                         .gateway = "10.77." + text + ".1",
                                         .internal = internal,
                                         .subnet6 = "fd77:" + text + "::/64",
                                         .gateway6 = "fd77:" + text + "::a4d:" + text + "01"}));
  }

  // The `last`-th of its network, by both families.
  Place attach(const std::string& task, const std::string& network, int number, int last) {
    const Attachment attachment{network, fmt::format("10.77.{}.{}", number, last),
                                fmt::format("fd77:{0}::a4d:{0}{1:02x}", number, last)};
    expect_ok(networks_->attach({.task_uid = task, .owner = task, .attachments = {attachment}, .ports = {}}));
    return networks_->namespace_path(task);
  }

  void lead(std::vector<VirtualAddress> addresses) {
    expect_ok(networks_->set_virtual_addresses(std::move(addresses)));
  }
};

TEST_F(VirtualAddressesTest, ConnectionsGoRoundThoseBehindIt) {
  network("blue", 1);
  const Place client = attach("client", "blue", 1, 2);
  const Place a = attach("a", "blue", 1, 3);
  const Place b = attach("b", "blue", 1, 4);
  const Server at_a(a, "10.77.1.3", 80);
  lead({{kService, {"10.77.1.3", "10.77.1.4"}}});
  int answered = 0;
  for (int i = 0; i < 6; ++i) answered += ask(client, kService, 80).empty() ? 0 : 1;
  EXPECT_EQ(answered, 3) << "b has no server";
  lead({{kService, {"10.77.1.3"}}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(client, kService, 80), "10.77.1.2");
  lead({{kService, {}}});
  EXPECT_EQ(ask(client, kService, 80), "") << "nobody is behind it";
  lead({});
  EXPECT_EQ(ask(client, kService, 80), "");
  EXPECT_THAT(nft("list ruleset"), Not(HasSubstr("virtual_")));
}

TEST_F(VirtualAddressesTest, ATaskReachesItselfThroughItsService) {
  network("blue", 1);
  const Place a = attach("a", "blue", 1, 3);
  const Server server(a, "10.77.1.3", 80);
  lead({{kService, {"10.77.1.3"}}});
  EXPECT_EQ(ask(a, kService, 80), "10.77.1.1");
}

TEST_F(VirtualAddressesTest, TheMachineItselfReachesThem) {
  network("blue", 1);
  network("closed", 2, true);
  const Place a = attach("a", "blue", 1, 3);
  const Place b = attach("b", "closed", 2, 3);
  const Server at_a(a, "10.77.1.3", 80);
  const Server at_b(b, "10.77.2.3", 53, true);
  lead({{kService, {"10.77.1.3"}}, {"10.77.2.100", {"10.77.2.3"}}});
  EXPECT_EQ(ask({}, kService, 80), "10.77.1.1");
  EXPECT_EQ(ask_udp({}, "10.77.2.100", 53), "10.77.2.1 ?");
  lead({{kService, {}}});
  EXPECT_EQ(ask({}, kService, 80), "");
  EXPECT_EQ(ask_udp({}, "10.77.2.100", 53), "");
}

TEST_F(VirtualAddressesTest, MeansNothingOutsideOfItsNetwork) {
  network("blue", 1);
  network("red", 2);
  const Place stranger = attach("stranger", "red", 2, 2);
  const Place a = attach("a", "blue", 1, 3);
  const Server server(a, "10.77.1.3", 80);
  lead({{kService, {"10.77.1.3"}}});
  EXPECT_EQ(ask(stranger, kService, 80), "");
  EXPECT_EQ(ask(a, kService, 80), "10.77.1.1");
}

TEST_F(VirtualAddressesTest, WorkInAnInternalNetworkToo) {
  network("closed", 1, true);
  const Place client = attach("client", "closed", 1, 2);
  const Place a = attach("a", "closed", 1, 3);
  const Server server(a, "10.77.1.3", 80);
  const Server server6(a, "fd77:1::a4d:103", 80);
  lead({{kService, {"10.77.1.3"}}, {kService6, {"fd77:1::a4d:103"}}});
  EXPECT_EQ(ask(client, kService, 80), "10.77.1.2");
  EXPECT_EQ(ask(client, kService6, 80), "fd77:1::a4d:102");
}

TEST_F(VirtualAddressesTest, TheSameByIpv6) {
  network("blue", 1);
  network("red", 2);
  const Place client = attach("client", "blue", 1, 2);
  const Place a = attach("a", "blue", 1, 3);
  const Place stranger = attach("stranger", "red", 2, 2);
  const Server server(a, "fd77:1::a4d:103", 80);
  EXPECT_EQ(ask(client, "fd77:1::a4d:103", 80), "fd77:1::a4d:102") << "with the first packet";
  EXPECT_EQ(ask(stranger, "fd77:1::a4d:103", 80), "");
  lead({{kService6, {"fd77:1::a4d:103"}}});
  EXPECT_EQ(ask(client, kService6, 80), "fd77:1::a4d:102");
  EXPECT_EQ(ask(a, kService6, 80), "fd77:1::a4d:101");
  EXPECT_EQ(ask(stranger, kService6, 80), "");
  EXPECT_EQ(ask({}, "fd77:1::a4d:103", 80), "fd77:1::a4d:101") << "the machine itself";
}

TEST_F(VirtualAddressesTest, PassAFirewallThatDropsIpv6) {
  nft("add table ip6 filter");
  nft("add chain ip6 filter FORWARD { type filter hook forward priority filter; policy drop; }");
  network("blue", 1);
  const Place client = attach("client", "blue", 1, 2);
  const Place a = attach("a", "blue", 1, 3);
  const Server server(a, "fd77:1::a4d:103", 80);
  EXPECT_EQ(ask(client, "fd77:1::a4d:103", 80), "fd77:1::a4d:102");
  expect_ok(networks_->remove_all());
  EXPECT_THAT(nft("list table ip6 filter"), Not(HasSubstr("orchion")));
}

TEST_F(VirtualAddressesTest, ANewProcessTakesThemOver) {
  network("blue", 1);
  const Place client = attach("client", "blue", 1, 2);
  const Place a = attach("a", "blue", 1, 3);
  const Server server(a, "10.77.1.3", 80);
  lead({{kService, {"10.77.1.3"}}, {"10.77.1.101", {"10.77.1.3"}}});
  renew();
  network("blue", 1);
  EXPECT_EQ(ask(client, kService, 80), "10.77.1.2") << "the kernel goes on";
  lead({{kService, {"10.77.1.3"}}});
  EXPECT_EQ(ask(client, kService, 80), "10.77.1.2");
  EXPECT_EQ(ask(client, "10.77.1.101", 80), "");
  EXPECT_THAT(nft("list ruleset"), Not(HasSubstr("virtual_10_77_1_101")));
}

TEST_F(VirtualAddressesTest, DatagramsLeaveWhoIsNotBehindItAnyMore) {
  network("blue", 1);
  const Place client = attach("client", "blue", 1, 2);
  const Place a = attach("a", "blue", 1, 3);
  const Place b = attach("b", "blue", 1, 4);
  const Server at_b(b, "10.77.1.4", 53, true);
  lead({{kService, {"10.77.1.3"}}});
  // One socket for both: the kernel takes its datagrams for one flow.
  lab::in_place(client, [&] {
    const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(53);
    ASSERT_EQ(::inet_pton(AF_INET, kService, &to.sin_addr), 1);
    const auto send = [&] { return ::sendto(socket.get(), "q", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)); };
    ASSERT_EQ(send(), 1);
    lead({{kService, {"10.77.1.4"}}});
    char reply[64] = {};
    // A refusal of the first comes back as an error of the next call.
    for (int i = 0; i < 3 && reply[0] == 0; ++i) {
      send();
      pollfd poller{socket.get(), POLLIN, 0};
      if (::poll(&poller, 1, 500) == 1) (void)!::recv(socket.get(), reply, sizeof(reply), 0);
    }
    EXPECT_STREQ(reply, "10.77.1.2 q");
  });
}

}  // namespace
}  // namespace orchion::node::networks
