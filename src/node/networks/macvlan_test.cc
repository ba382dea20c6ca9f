// Tasks that are machines of their own on the network behind one of the machine's interfaces.

#include <cstdio>

#include <gmock/gmock.h>

#include "node/networks/lab_networks.h"
#include "node/networks/links.h"
#include "node/networks/namespaces.h"
#include "node/networks/netlink.h"
#include "node/networks/parents.h"

namespace orchion::node::networks {
namespace {

using lab::ask;
using lab::ask_udp;
using lab::kHostAddress;
using lab::kOutsideAddress;
using lab::Place;
using lab::Server;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kCamera[] = "192.0.2.50";
constexpr char kFarAway[] = "198.51.100.7";  // behind the gateway

class MacvlanTest : public lab::NetworksTest {
 protected:
  MacvlanTest() {
    lab::in_place(machine_.outside(), [] {
      auto socket = NetlinkSocket::open().value();
      const auto link = find_link(socket, "up0").value();
      ASSERT_TRUE(socket.run_one(add_address(link.index, parse_ipv4(kFarAway).value(), 32), "an address"));
    });
  }

  static NetworkConfig lan(const std::string& parent = "up0") {
    return {.uid = "lan", .subnet = "192.0.2.0/24", .gateway = kOutsideAddress, .parent = parent};
  }
  void make_lan() { expect_ok(networks_->ensure_network(lan())); }
  void make_blue() {
    expect_ok(networks_->ensure_network({.uid = "blue", .subnet = "10.77.1.0/24", .gateway = "10.77.1.1"}));
  }

  Place attach(const std::string& task, std::vector<Attachment> attachments, std::vector<PublishedPort> ports = {}) {
    expect_ok(networks_->attach(
        {.task_uid = task, .owner = task, .attachments = std::move(attachments), .ports = std::move(ports)}));
    expect_ok(networks_->publish(task));
    return networks_->namespace_path(task);
  }

  static std::string shell(const Place& place, const std::string& command) {
    std::string output;
    lab::in_place(place, [&] {
      std::FILE* pipe = ::popen(command.c_str(), "re");
      for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
      ::pclose(pipe);
    });
    return output;
  }

  static std::set<std::string> links() {
    std::set<std::string> names;
    auto socket = NetlinkSocket::open().value();
    const auto all = list_links(socket, "").value();
    for (const auto& link : all) names.insert(link.name);
    return names;
  }

  std::string refusal(const NetworkConfig& config) {
    const auto done = loop_.run(networks_->ensure_network(config));
    EXPECT_FALSE(done);
    return done ? "" : done.error().message;
  }

  const Place host_;
};

TEST_F(MacvlanTest, ATaskIsAMachineOnTheNetworkOfItsParent) {
  make_lan();
  const Place camera = attach("camera", {{"lan", kCamera}});
  const Server server(camera, kCamera, 80);
  EXPECT_EQ(ask(machine_.outside(), kCamera, 80), kOutsideAddress) << "the client's own address";
  const std::string mac = "02:6f:c0:00:02:32";
  EXPECT_THAT(shell(camera, "ip -o link show eth0"), HasSubstr(mac));
  EXPECT_THAT(shell(machine_.outside(), "ip neigh show 192.0.2.50"), HasSubstr(mac));
  EXPECT_THAT(shell(camera, "ip -o addr show eth0"), HasSubstr("192.0.2.50/24"));
  // Two of them reach each other, with the first packet.
  const Place other = attach("other", {{"lan", "192.0.2.51"}});
  EXPECT_EQ(ask(other, kCamera, 80), "192.0.2.51");
}

TEST_F(MacvlanTest, TheWayOutIsTheGatewayThatWasNamed) {
  make_lan();
  const Server server(machine_.outside(), kFarAway, 80);
  EXPECT_EQ(ask(attach("camera", {{"lan", kCamera}}), kFarAway, 80), kCamera);
  auto closed = lan();
  closed.uid = "closed";
  closed.gateway = "";
  expect_ok(networks_->ensure_network(closed));
  EXPECT_EQ(ask(attach("recorder", {{"closed", "192.0.2.52"}}), kFarAway, 80), "") << "none was named";
}

TEST_F(MacvlanTest, WhoIsInNoOtherNetworkReachesTheResolverAndNothingElseOfTheMachine) {
  expect_ok(networks_->set_resolver_port(5353));
  make_lan();
  make_blue();
  const Place camera = attach("camera", {{"lan", kCamera}});
  const Place web = attach("web", {{"blue", "10.77.1.2"}});
  const Server resolver(host_, kNamesGateway, 5353);
  const Server resolver_udp(host_, kNamesGateway, 5353, true);
  const Server secret(host_, "0.0.0.0", 8080);
  const Server inside(web, "10.77.1.2", 80);
  EXPECT_EQ(ask(camera, kNamesGateway, 53), kCamera);
  EXPECT_EQ(ask_udp(camera, kNamesGateway, 53, "hi"), std::string(kCamera) + " hi");
  EXPECT_EQ(ask(camera, kNamesGateway, 8080), "");
  // Not even with a route that its root may make.
  EXPECT_EQ(shell(camera, "ip route add 10.77.1.0/24 via 169.254.53.1 dev eth-names"), "");
  EXPECT_EQ(ask(camera, "10.77.1.2", 80), "");
  EXPECT_EQ(ask(web, kCamera, 80), "");
}

TEST_F(MacvlanTest, WhoIsInARoutedNetworkTooHasNoFurtherLink) {
  make_lan();
  make_blue();
  const Place both =
      attach("both", {{"blue", "10.77.1.2"}, {"lan", kCamera}}, {{.host_port = 8080, .container_port = 80}});
  const Server by_blue(both, "10.77.1.2", 80);
  const Server by_lan(both, kCamera, 80);
  EXPECT_EQ(ask(machine_.outside(), kCamera, 80), kOutsideAddress);
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress) << "its port leads to the routed one";
  EXPECT_EQ(ask(host_, kHostAddress, 8080), kHostAddress);
  EXPECT_THAT(shell(both, "ip -o link"), Not(HasSubstr("eth-names")));
  EXPECT_THAT(shell(both, "ip route show default"), HasSubstr("dev eth0")) << "the first one's";
  const Place turned = attach("turned", {{"lan", "192.0.2.53"}, {"blue", "10.77.1.3"}});
  EXPECT_THAT(shell(turned, "ip route show default"), HasSubstr("via 192.0.2.2 dev eth0"));
}

TEST_F(MacvlanTest, PortsNeedARoutedNetwork) {
  make_lan();
  const auto refused = loop_.run(networks_->attach({.task_uid = "camera",
                                                    .owner = "camera",
                                                    .attachments = {{"lan", kCamera}},
                                                    .ports = {{.host_port = 8080, .container_port = 80}}}));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("macvlan networks only can't publish ports"));
  EXPECT_FALSE(is_namespace(networks_->namespace_path("camera")));
}

TEST_F(MacvlanTest, AParentThatIsntThereSaysSo) {
  EXPECT_THAT(refusal(lan("enp3s0")), HasSubstr("this node has no interface enp3s0, which the network is on"));
  EXPECT_THAT(refusal(lan("enp3s0.20")), HasSubstr("this node has no interface enp3s0.20"));
  EXPECT_EQ(shell(host_, "ip link add down0 type veth peer name down1"), "");
  EXPECT_THAT(refusal(lan("down0")), HasSubstr("is down on this node: bring it up with `ip link set down0 up`"));
}

TEST_F(MacvlanTest, NothingIsLeftWhenATaskGoesAndItsAddressIsFreeAtOnce) {
  const auto before = links();
  const auto tables = nft("list tables");
  make_lan();
  for (int round = 0; round < 5; ++round) {
    const Place camera = attach("camera", {{"lan", kCamera}});
    const Server server(camera, kCamera, 80);
    EXPECT_EQ(ask(machine_.outside(), kCamera, 80), kOutsideAddress) << round;
    expect_ok(networks_->detach("camera"));
    EXPECT_EQ(ask(machine_.outside(), kCamera, 80), "") << "though a descriptor holds its namespace";
  }
  expect_ok(networks_->remove_network("lan"));
  EXPECT_EQ(links(), before);
  EXPECT_EQ(nft("list tables"), tables);
}

TEST_F(MacvlanTest, TheNextProcessFindsItAndCleansItUp) {
  expect_ok(networks_->set_resolver_port(5353));
  make_lan();
  const Place camera = attach("camera", {{"lan", kCamera}});
  const Server server(camera, kCamera, 80);
  renew();
  expect_ok(networks_->sweep({"lan"}, {"camera"}));
  EXPECT_EQ(ask(machine_.outside(), kCamera, 80), kOutsideAddress);
  expect_ok(networks_->set_resolver_port(5353));
  make_lan();
  const Server resolver(host_, kNamesGateway, 5353);
  EXPECT_EQ(ask(camera, kNamesGateway, 53), kCamera);
  attach("camera", {{"lan", kCamera}});
  EXPECT_EQ(ask(machine_.outside(), kCamera, 80), kOutsideAddress) << "attached again";
  renew();
  expect_ok(networks_->sweep({}, {}));
  EXPECT_EQ(ask(machine_.outside(), kCamera, 80), "");
  EXPECT_THAT(nft("list tables"), IsEmpty());
  EXPECT_FALSE(is_namespace(camera));
}

TEST(Parents, AVlanIsNamedAfterItsInterface) {
  EXPECT_EQ(vlan_of("eth0.20").base, "eth0");
  EXPECT_EQ(vlan_of("eth0.20").id, 20);
  EXPECT_EQ(vlan_of("br-a.b.4094").base, "br-a.b");
  for (const char* none : {"eth0", "eth0.", "eth0.0", "eth0.4095", "eth0.2x", ".5x"})
    EXPECT_EQ(vlan_of(none).id, 0) << none;
}

TEST(Parents, AnAliasSaysWhichNetworksItWasMadeFor) {
  EXPECT_EQ(alias_of("orchion_k3", {"a", "b"}), "orchion_k3 a b");
  EXPECT_EQ(networks_of_alias("orchion_k3", "orchion_k3 a b"), (std::set<std::string>{"a", "b"}));
  EXPECT_THAT(networks_of_alias("orchion_k3", "orchion_k33 a b"), IsEmpty());
  EXPECT_THAT(networks_of_alias("orchion_k3", "my uplink"), IsEmpty());
  EXPECT_THAT(networks_of_alias("orchion_k3", ""), IsEmpty());
}

}  // namespace
}  // namespace orchion::node::networks
