// The real kernel, on a machine of its own.

#include "node/networks/linux_networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "node/networks/lab_networks.h"
#include "node/networks/links.h"
#include "node/networks/names.h"
#include "node/networks/namespaces.h"

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

// Everything of this room that a machine can hold.
struct Traces {
  std::set<std::string> links;
  std::set<std::string> files;
  std::string tables;

  bool operator==(const Traces&) const = default;
};

class LinuxNetworksTest : public lab::NetworksTest {
 protected:
  const Place host_;

  void network(const std::string& uid, int number, bool internal = false) {
    const std::string prefix = "10.77." + std::to_string(number) + ".";
    auto done = loop_.run(networks_->ensure_network(
        {.uid = uid, .subnet = prefix + "0/24", .gateway = prefix + "1", .internal = internal}));
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  base::Result<Place> try_attach(TaskNetwork task) {
    const Place place = networks_->namespace_path(task.task_uid);
    RETURN_IF_ERROR(loop_.run(networks_->attach(std::move(task))));
    return place;
  }

  Place attach(const std::string& task, std::vector<Attachment> attachments, std::vector<PublishedPort> ports = {}) {
    auto path =
        try_attach({.task_uid = task, .owner = task, .attachments = std::move(attachments), .ports = std::move(ports)});
    EXPECT_TRUE(loop_.run(networks_->publish(task)).has_value());
    EXPECT_TRUE(path.has_value()) << path.error().message;
    return path.value_or(Place("/nowhere"));
  }

  Traces traces() {
    Traces found;
    auto socket = NetlinkSocket::open().value();
    const auto links = list_links(socket, "").value();
    for (const auto& link : links) found.links.insert(link.name);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(machine_.folder())) {
      found.files.insert(entry.path());
    }
    found.tables = nft("list tables");
    return found;
  }
};

TEST_F(LinuxNetworksTest, TasksOfANetworkReachEachOtherWithTheirFirstPacket) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Place b = attach("b", {{"blue", "10.77.1.3"}});
  const Server server(b, "10.77.1.3", 80);
  EXPECT_EQ(ask(a, "10.77.1.3", 80), "10.77.1.2");
  EXPECT_EQ(ask(b, "127.0.0.1", 80), "") << "the server has one address only";
  EXPECT_EQ(ask(host_, "10.77.1.3", 80), "10.77.1.1") << "the machine itself reaches its tasks";
}

TEST_F(LinuxNetworksTest, TasksOfTwoNetworksDont) {
  network("blue", 1);
  network("red", 2);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Place b = attach("b", {{"red", "10.77.2.2"}});
  const Place both = attach("both", {{"blue", "10.77.1.9"}, {"red", "10.77.2.9"}});
  const Server server(b, "0.0.0.0", 80);
  EXPECT_EQ(ask(a, "10.77.2.2", 80), "");
  EXPECT_EQ(ask(both, "10.77.2.2", 80), "10.77.2.9");
}

TEST_F(LinuxNetworksTest, PublishedPortAnswersEverywhereAndKeepsTheClientsAddress) {
  network("blue", 1);
  const Place task = attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const Server server(task, "10.77.1.2", 80);
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
  EXPECT_EQ(ask(host_, kHostAddress, 8080), kHostAddress);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1");
  EXPECT_EQ(ask(host_, "::1", 8080), "10.77.1.1");
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 80), "") << "only what is published";
  expect_ok(networks_->detach("a"));
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
  EXPECT_EQ(ask(host_, "::1", 8080), "");
}

// The relay was the first to close a connection: it lingers there.
TEST_F(LinuxNetworksTest, APortThatWasJustUsedIsPublishedAgain) {
  network("blue", 1);
  for (int round = 0; round < 2; ++round) {
    const Place task = attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
    const Server server(task, "10.77.1.2", 80);
    EXPECT_EQ(ask(host_, "::1", 8080), "10.77.1.1") << round;
    expect_ok(networks_->detach("a"));
  }
}

TEST_F(LinuxNetworksTest, PublishedDatagramsToo) {
  network("blue", 1);
  const Place task = attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 5300, .container_port = 53, .udp = true}});
  const Server server(task, "10.77.1.2", 53, true);
  EXPECT_EQ(ask_udp(machine_.outside(), kHostAddress, 5300, "hi"), std::string(kOutsideAddress) + " hi");
  EXPECT_EQ(ask_udp(host_, "127.0.0.1", 5300, "hi"), "10.77.1.1 hi");
  EXPECT_EQ(ask_udp(host_, "::1", 5300, "hi"), "10.77.1.1 hi");
}

TEST_F(LinuxNetworksTest, APortCanBePublishedOnOneAddress) {
  network("blue", 1);
  const Place task = attach("a", {{"blue", "10.77.1.2"}},
                            {{.host_ip = "127.0.0.1", .host_port = 8080, .container_port = 80},
                             {.host_ip = "::1", .host_port = 8081, .container_port = 80},
                             {.host_ip = kHostAddress, .host_port = 8082, .container_port = 80}});
  const Server server(task, "10.77.1.2", 80);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1");
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
  EXPECT_EQ(ask(host_, "::1", 8080), "");
  EXPECT_EQ(ask(host_, "::1", 8081), "10.77.1.1");
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8082), kOutsideAddress);
  const auto elsewhere = try_attach({.task_uid = "b",
                                     .attachments = {{"blue", "10.77.1.3"}},
                                     .ports = {{.host_ip = "198.51.100.7", .host_port = 1, .container_port = 1}}});
  ASSERT_FALSE(elsewhere.has_value());
  EXPECT_THAT(elsewhere.error().message, HasSubstr("198.51.100.7 is not an address of this machine"));
}

// The machine and its outside with IPv6 too.
class Ipv6PortsTest : public LinuxNetworksTest {
 protected:
  static constexpr char kHost6[] = "fd00:2::1";
  static constexpr char kOutside6[] = "fd00:2::2";

  Ipv6PortsTest() {
    give(host_, kHost6);
    give(machine_.outside(), kOutside6);
  }

  static void give(const Place& place, const char* address) {
    lab::in_place(place, [&] {
      auto socket = NetlinkSocket::open().value();
      const auto link = find_link(socket, "up0").value();
      ASSERT_TRUE(socket.run_one(add_address(link.index, parse_ipv6(address).value(), 64), "an address"));
      // The link's own address is asked about for a second or two.
      bool usable = false;
      for (int i = 0; i < 5 && !usable; ++i) usable = wait_until_addressed(socket, link.index).has_value();
      ASSERT_TRUE(usable);
    });
  }

  void green() {
    expect_ok(networks_->ensure_network({.uid = "green",
                                         .subnet = "10.77.3.0/24",
                                         .gateway = "10.77.3.1",
                                         .subnet6 = "fd77:3::/64",
                                         .gateway6 = "fd77:3::a4d:301"}));
  }
  static Attachment place_in_green() { return {"green", "10.77.3.2", "fd77:3::a4d:302"}; }
};

TEST_F(Ipv6PortsTest, APortOnAnIpv6AddressKeepsTheClientsAddress) {
  green();
  const Place a = attach("a", {place_in_green()},
                         {{.host_ip = "fd00:2:0::1", .host_port = 8080, .container_port = 80},
                          {.host_ip = kHost6, .host_port = 5300, .container_port = 53, .udp = true}});
  const Server server(a, "fd77:3::a4d:302", 80);
  const Server datagrams(a, "fd77:3::a4d:302", 53, true);
  EXPECT_EQ(ask(machine_.outside(), kHost6, 8080), kOutside6);
  EXPECT_EQ(ask_udp(machine_.outside(), kHost6, 5300, "hi"), std::string(kOutside6) + " hi");
  EXPECT_EQ(ask(host_, kHost6, 8080), kHost6);
  EXPECT_EQ(ask(host_, "::1", 8080), "") << "not where it was published";
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
  EXPECT_THROW(Server(host_, kHost6, 8080), std::runtime_error) << "held";
  expect_ok(networks_->unpublish("a"));
  EXPECT_EQ(ask(machine_.outside(), kHost6, 8080), "");
  expect_ok(networks_->publish("a"));
  EXPECT_EQ(ask(machine_.outside(), kHost6, 8080), kOutside6);
}

TEST_F(Ipv6PortsTest, APortOnEveryIpv6AddressIsServedOnTheLoopbackToo) {
  green();
  const Place a = attach("a", {place_in_green()}, {{.host_ip = "::", .host_port = 8080, .container_port = 80}});
  const Server by4(a, "10.77.3.2", 80);
  const Server by6(a, "fd77:3::a4d:302", 80);
  EXPECT_EQ(ask(machine_.outside(), kHost6, 8080), kOutside6);
  EXPECT_EQ(ask(host_, "::1", 8080), "10.77.3.1") << "by the relay";
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), "");
}

TEST_F(Ipv6PortsTest, ATaskWithIpv4AloneIsReachedByTheRelay) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}}, {{.host_ip = kHost6, .host_port = 8080, .container_port = 80}});
  const Server server(a, "10.77.1.2", 80);
  EXPECT_EQ(ask(machine_.outside(), kHost6, 8080), "10.77.1.1");
}

TEST_F(Ipv6PortsTest, ConnectionsGoRoundTheTasksAndTheNextProcessGoesOn) {
  green();
  const auto publish = [&](const std::string& task, int last) {
    const std::string v6 = "fd77:3::a4d:30" + std::to_string(last);
    expect_ok(networks_->attach({.task_uid = task,
                                 .owner = "web",
                                 .attachments = {{"green", "10.77.3." + std::to_string(last), v6}},
                                 .ports = {{.host_ip = kHost6, .host_port = 8080, .container_port = 80}}}));
    expect_ok(networks_->publish(task));
  };
  publish("a", 2);
  publish("b", 3);
  const Server at_a(networks_->namespace_path("a"), "fd77:3::a4d:302", 80);
  const auto answered = [&] {
    int count = 0;
    for (int i = 0; i < 6; ++i) count += ask(machine_.outside(), kHost6, 8080).empty() ? 0 : 1;
    return count;
  };
  EXPECT_EQ(answered(), 3) << "b has no server";
  renew();
  expect_ok(networks_->sweep({"green"}, {"a", "b"}));
  EXPECT_EQ(answered(), 3) << "while nobody holds it";
  green();
  publish("a", 2);
  publish("b", 3);
  EXPECT_EQ(answered(), 3);
  expect_ok(networks_->detach("b"));
  EXPECT_EQ(answered(), 6);
  expect_ok(networks_->detach("a"));
  EXPECT_EQ(answered(), 0);
}

TEST_F(LinuxNetworksTest, ATakenPortSaysWhoHasItAndLeavesNothing) {
  network("blue", 1);
  const Traces before = traces();
  const Server other(host_, "0.0.0.0", 8080);
  const auto refused = try_attach(
      {.task_uid = "a", .attachments = {{"blue", "10.77.1.2"}}, .ports = {{.host_port = 8080, .container_port = 80}}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().message, "port 8080/tcp is taken on this machine by networks_test (pid " +
                                         std::to_string(::getpid()) + "): publish another one, or stop it");
  Traces after = traces();
  std::erase_if(after.files, [&](const auto& file) { return file.ends_with("/netns"); });
  EXPECT_EQ(after.links, before.links);
  EXPECT_EQ(after.files, before.files);
}

TEST_F(LinuxNetworksTest, TwoTasksCantPublishOnePort) {
  network("blue", 1);
  attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const auto refused = try_attach({.task_uid = "b",
                                   .attachments = {{"blue", "10.77.1.3"}},
                                   .ports = {{.host_ip = "127.0.0.1", .host_port = 8080, .container_port = 80}}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("taken on this machine by a"));
  expect_ok(networks_->detach("a"));
  attach("b", {{"blue", "10.77.1.3"}}, {{.host_port = 8080, .container_port = 80}});
}

TEST_F(LinuxNetworksTest, TasksOfOneOwnerShareAPort) {
  network("blue", 1);
  std::vector<Place> places;
  for (const std::string name : {"a", "b"}) {
    const std::string address = name == "a" ? "10.77.1.2" : "10.77.1.3";
    const auto place = try_attach(
        {.task_uid = name,
         .owner = "shop/web",
         .attachments = {{"blue", address}},
         .ports = {{.host_port = 8080, .container_port = name == "a" ? std::uint16_t{80} : std::uint16_t{81}}}});
    ASSERT_TRUE(place.has_value()) << place.error().message;
    places.push_back(*place);
  }
  const Server only_a(places[0], "10.77.1.2", 80);
  EXPECT_EQ(ask({}, "127.0.0.1", 8080), "") << "nobody is published yet";
  ASSERT_TRUE(loop_.run(networks_->publish("a")).has_value());
  for (int i = 0; i < 3; ++i) EXPECT_NE(ask({}, "127.0.0.1", 8080), "");
  ASSERT_TRUE(loop_.run(networks_->publish("b")).has_value());
  int answered = 0;
  for (int i = 0; i < 10; ++i) answered += ask({}, "127.0.0.1", 8080).empty() ? 0 : 1;
  EXPECT_EQ(answered, 5) << "connections go round";
  ASSERT_TRUE(loop_.run(networks_->unpublish("a")).has_value());
  EXPECT_EQ(ask({}, "127.0.0.1", 8080), "");
  const Server then_b(places[1], "10.77.1.3", 81);
  for (const char* address : {"127.0.0.1", "::1"}) EXPECT_NE(ask({}, address, 8080), "") << address;
}

TEST_F(LinuxNetworksTest, APublishedPortIsHeldAgainstOtherPrograms) {
  network("blue", 1);
  attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  EXPECT_THROW(Server(host_, "0.0.0.0", 8080), std::runtime_error);
  EXPECT_THROW(Server(host_, "::", 8080), std::runtime_error);
  expect_ok(networks_->detach("a"));
  EXPECT_NO_THROW(Server(host_, "0.0.0.0", 8080));
}

TEST_F(LinuxNetworksTest, ATaskReachesPublishedPortsItsOwnIncluded) {
  network("blue", 1);
  network("red", 2);
  const Place a = attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const Place b = attach("b", {{"blue", "10.77.1.3"}});
  const Place c = attach("c", {{"red", "10.77.2.2"}});
  const Server server(a, "10.77.1.2", 80);
  for (const Place& place : {a, b, c}) EXPECT_NE(ask(place, kHostAddress, 8080), "") << place;
  EXPECT_EQ(ask(b, "10.77.1.2", 80), "10.77.1.3");
}

TEST_F(LinuxNetworksTest, TheWayOutIsMasqueradedAndInternalNetworksHaveNone) {
  network("blue", 1);
  network("closed", 3, true);
  const Place open =
      attach("open", {{"closed", "10.77.3.3"}, {"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const Place closed = attach("closed", {{"closed", "10.77.3.2"}});
  const Server web(machine_.outside(), kOutsideAddress, 80);
  const Server on_host(host_, "0.0.0.0", 90);
  const Server inside(open, "0.0.0.0", 80);
  EXPECT_EQ(ask(open, kOutsideAddress, 80), kHostAddress);
  EXPECT_EQ(ask(open, "10.77.1.1", 90), "10.77.1.2");
  EXPECT_EQ(ask(closed, kOutsideAddress, 80), "");
  EXPECT_EQ(ask(closed, kHostAddress, 90), "");
  EXPECT_EQ(ask(closed, "10.77.3.1", 90), "");
  EXPECT_EQ(ask(closed, "10.77.3.3", 80), "10.77.3.2");
  EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress) << "by the network that isn't internal";
}

TEST_F(LinuxNetworksTest, ClosingANetworkLaterClosesIt) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Server web(machine_.outside(), kOutsideAddress, 80);
  EXPECT_EQ(ask(a, kOutsideAddress, 80), kHostAddress);
  network("blue", 1, true);
  EXPECT_EQ(ask(a, kOutsideAddress, 80), "");
  network("blue", 1, false);
  EXPECT_EQ(ask(a, kOutsideAddress, 80), kHostAddress);
}

TEST_F(LinuxNetworksTest, QueriesToTheGatewayAreLedToTheResolver) {
  network("blue", 1);
  network("closed", 3, true);
  expect_ok(networks_->set_resolver_port(20053));
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Place closed = attach("closed", {{"closed", "10.77.3.2"}});
  const Server resolver(host_, "10.77.1.1", 20053, true);
  const Server resolver_closed(host_, "10.77.3.1", 20053, true);
  const Server stream(host_, "10.77.1.1", 20053);
  EXPECT_EQ(ask_udp(a, "10.77.1.1", 53, "q"), "10.77.1.2 q");
  EXPECT_EQ(ask(a, "10.77.1.1", 53), "10.77.1.2");
  EXPECT_EQ(ask_udp(closed, "10.77.3.1", 53, "q"), "10.77.3.2 q");
  EXPECT_EQ(ask_udp(a, kHostAddress, 53, "q"), "") << "a name server of the host's own is left alone";
}

TEST_F(LinuxNetworksTest, AttachingAgainDisturbsNothing) {
  network("blue", 1);
  const TaskNetwork task{
      .task_uid = "a", .attachments = {{"blue", "10.77.1.2"}}, .ports = {{.host_port = 8080, .container_port = 80}}};
  const Place place = attach("a", task.attachments, task.ports);
  const Server server(place, "10.77.1.2", 80);
  const Traces before = traces();
  EXPECT_EQ(try_attach(task).value_or(""), place);
  EXPECT_EQ(traces(), before);
  renew();
  network("blue", 1);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1") << "served by the kernel alone";
  EXPECT_EQ(try_attach(task).value_or(""), place);
  EXPECT_EQ(traces(), before);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1");
  EXPECT_EQ(ask(host_, "::1", 8080), "10.77.1.1");
  EXPECT_THROW(Server(host_, "0.0.0.0", 8080), std::runtime_error);
}

TEST_F(LinuxNetworksTest, ATaskMovesIntoTheNamespaceOfItsContainer) {
  network("blue", 1);
  const TaskNetwork task{.task_uid = "a",
                         .owner = "a",
                         .attachments = {{"blue", "10.77.1.2"}},
                         .ports = {{.host_port = 8080, .container_port = 80}}};
  const Place b = attach("b", {{"blue", "10.77.1.3"}});
  for (const char* name : {"first", "second"}) {
    const Place container = machine_.folder() / name;
    ASSERT_TRUE(run_in_namespace(container, {.inside = [](int) { return base::Result<>{}; }}));
    expect_ok(networks_->attach_at(task, container));
    expect_ok(networks_->publish("a"));
    expect_ok(networks_->attach_at(task, container));
    const Server server(container, "10.77.1.2", 80);
    EXPECT_EQ(ask(b, "10.77.1.2", 80), "10.77.1.3");
    expect_ok(networks_->publish("a"));
    EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
    EXPECT_EQ(ask(networks_->namespace_path("a"), "10.77.1.2", 80), "10.77.1.2") << "it is the container's";
    ASSERT_TRUE(remove_namespace(container)) << "the task's own file keeps it";
  }
  expect_ok(networks_->detach("a"));
}

TEST_F(LinuxNetworksTest, LinksThatAFormerVersionHadInABridgeAreMadeAnew) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Server server(a, "10.77.1.2", 80);
  const Names names(id_);
  const std::string bridge = names.prefix() + "b12345678";
  const std::string command = "ip link add " + bridge + " type bridge && ip link set " + bridge +
                              " up && ip link set " + names.veth("a", 0) + " master " + bridge;
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(ask(host_, "10.77.1.2", 80), "") << "a bridge's port is no way to the machine";
  renew();
  network("blue", 1);
  EXPECT_EQ(attach("a", {{"blue", "10.77.1.2"}}), a);
  EXPECT_EQ(ask(host_, "10.77.1.2", 80), "10.77.1.1");
  expect_ok(networks_->sweep({"blue"}, {"a"}));
  auto socket = NetlinkSocket::open().value();
  EXPECT_FALSE(find_link(socket, bridge));
}

TEST_F(LinuxNetworksTest, SweepRemovesWhatACrashLeftAndNothingElse) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const Server server(a, "10.77.1.2", 80);
  const Traces before = traces();
  network("red", 2);
  attach("b", {{"blue", "10.77.1.3"}, {"red", "10.77.2.3"}}, {{.host_port = 8081, .container_port = 80}});
  renew();
  expect_ok(networks_->sweep({"blue"}, {"a"}));
  EXPECT_EQ(traces(), before);
  EXPECT_EQ(ask(host_, "127.0.0.1", 8080), "10.77.1.1") << "what is named goes on";
  EXPECT_THAT(nft("list map inet orchion_" + id_ + " published"), testing::Not(HasSubstr("8081")));
}

TEST_F(LinuxNetworksTest, NothingIsLeftAfterRemoveAll) {
  const Traces before = traces();
  EXPECT_THAT(before.tables, IsEmpty());
  network("blue", 1);
  network("closed", 2, true);
  attach("a", {{"blue", "10.77.1.2"}, {"closed", "10.77.2.2"}}, {{.host_port = 8080, .container_port = 80}});
  EXPECT_NE(traces(), before);
  renew();
  expect_ok(networks_->remove_all());
  EXPECT_EQ(traces(), before);
  expect_ok(networks_->remove_all());
  network("blue", 1);
  attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  expect_ok(networks_->detach("a"));
  expect_ok(networks_->detach("a"));
  expect_ok(networks_->remove_network("blue"));
  expect_ok(networks_->remove_network("blue"));
  expect_ok(networks_->remove_all());
  EXPECT_EQ(traces(), before);
}

TEST_F(LinuxNetworksTest, AnotherClustersThingsAreLeftAlone) {
  network("blue", 1);
  attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const Traces before = traces();
  LinuxNetworks other(loop_.executor(), *workers_,
                      {.cluster_short_id = "other", .run_folder = machine_.folder() / "2"});
  auto done = loop_.run(other.remove_all());
  EXPECT_TRUE(done.has_value());
  EXPECT_EQ(traces(), before);
}

TEST_F(LinuxNetworksTest, WorksBesideAFirewallThatDropsWhatItDoesntKnow) {
  // As Docker leaves it.
  nft("add table ip filter");
  nft("add chain ip filter DOCKER-USER");
  nft("add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }");
  nft("add rule ip filter FORWARD jump DOCKER-USER");
  nft("add chain ip filter INPUT { type filter hook input priority filter; policy drop; }");
  nft("add rule ip filter INPUT ct state established,related accept");
  nft("add rule ip filter DOCKER-USER return");
  const std::string untouched = nft("list table ip filter");
  expect_ok(networks_->set_resolver_port(20053));
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}}, {{.host_port = 8080, .container_port = 80}});
  const Place b = attach("b", {{"blue", "10.77.1.3"}});
  const Server server(a, "10.77.1.2", 80);
  const Server resolver(host_, "10.77.1.1", 20053, true);
  const Server web(machine_.outside(), kOutsideAddress, 80);
  const auto expect_all_work = [&] {
    EXPECT_EQ(ask(b, "10.77.1.2", 80), "10.77.1.3");
    EXPECT_EQ(ask(b, kOutsideAddress, 80), kHostAddress);
    EXPECT_EQ(ask(machine_.outside(), kHostAddress, 8080), kOutsideAddress);
    EXPECT_EQ(ask_udp(b, "10.77.1.1", 53, "q"), "10.77.1.3 q");
  };
  expect_all_work();
  const std::string mended = nft("list table ip filter");
  network("blue", 1);
  EXPECT_EQ(nft("list table ip filter"), mended) << "once is enough";
  nft("flush chain ip filter DOCKER-USER");
  network("blue", 1);
  expect_all_work();
  expect_ok(networks_->remove_all());
  EXPECT_THAT(nft("list table ip filter"), testing::Not(HasSubstr("orchion")));
}

TEST_F(LinuxNetworksTest, BadAddressesAndUnknownNetworksAreRefused) {
  network("blue", 1);
  for (const auto& [task, part] : std::vector<std::pair<TaskNetwork, std::string>>{
           {{.task_uid = "a", .attachments = {{"red", "10.77.1.2"}}}, "not set up"},
           {{.task_uid = "a", .attachments = {{"blue", "10.78.1.2"}}}, "no address for a task"},
           {{.task_uid = "a", .attachments = {{"blue", "10.77.1.1"}}}, "no address for a task"},
           {{.task_uid = "a", .attachments = {{"blue", "x"}}}, "not an IPv4 address"},
           {{.task_uid = "../a", .attachments = {{"blue", "10.77.1.2"}}}, "uid"},
           {{.task_uid = "a", .ports = {{.host_port = 80, .container_port = 80}}}, "give it a network"}}) {
    const auto refused = try_attach(task);
    ASSERT_FALSE(refused.has_value()) << part;
    EXPECT_THAT(refused.error().message, HasSubstr(part));
  }
}

TEST_F(LinuxNetworksTest, NobodySendsWithAnothersAddress) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Place b = attach("b", {{"blue", "10.77.1.3"}});
  const Server server(b, "10.77.1.3", 53, true);
  EXPECT_EQ(ask_udp(a, "10.77.1.3", 53, "hi"), "10.77.1.2 hi");
  lab::in_place(a, [] {
    auto socket = NetlinkSocket::open().value();
    const auto link = find_link(socket, "eth0").value();
    const auto liar = parse_ipv4("10.77.1.9").value();
    const auto gateway = parse_ipv4("10.77.1.1").value();
    ASSERT_TRUE(socket.run_one(add_address(link.index, liar, 32), "an address"));
    ASSERT_TRUE(socket.run_one(put_route(Route<Ipv4>{link.index, parse_ipv4("10.77.1.3").value(), 32, gateway, liar}),
                               "a route"));
  });
  EXPECT_EQ(ask_udp(a, "10.77.1.3", 53, "hi"), "");
}

TEST_F(LinuxNetworksTest, WhatNobodyHasOfARangeStaysHere) {
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  lab::in_place({}, [] {
    auto socket = NetlinkSocket::open().value();
    const auto link = find_link(socket, "up0").value();
    const auto outside = parse_ipv4(kOutsideAddress).value();
    ASSERT_TRUE(socket.run_one(put_route(Route<Ipv4>{link.index, std::nullopt, 0, outside, std::nullopt}), "default"));
  });
  lab::in_place(machine_.outside(), [] {
    auto socket = NetlinkSocket::open().value();
    const auto link = find_link(socket, "up0").value();
    ASSERT_TRUE(socket.run_one(add_address(link.index, parse_ipv4("10.77.1.200").value(), 32), "an address"));
  });
  const Server thief(machine_.outside(), "10.77.1.200", 80);
  EXPECT_EQ(ask(a, "10.77.1.200", 80), "");
  EXPECT_EQ(ask(host_, "10.77.1.200", 80), "");
}

TEST_F(LinuxNetworksTest, TwoNetworksOfOneRangeShareItsRules) {
  network("old", 1);
  network("blue", 1);
  const Place a = attach("a", {{"blue", "10.77.1.2"}});
  const Place b = attach("b", {{"blue", "10.77.1.3"}});
  const Server server(b, "10.77.1.3", 80);
  expect_ok(networks_->remove_network("old"));
  EXPECT_EQ(ask(a, "10.77.1.3", 80), "10.77.1.2");
  renew();
  network("blue", 1);
  expect_ok(networks_->remove_network("old"));
  EXPECT_EQ(ask(a, "10.77.1.3", 80), "10.77.1.2");
}

TEST_F(LinuxNetworksTest, ManyAtOnce) {
  network("blue", 1);
  std::vector<std::future<base::Result<>>> attached;
  const auto name = [](int i) { return "task" + std::to_string(i); };
  const auto address = [](int i) { return "10.77.1." + std::to_string(i + 10); };
  for (int i = 0; i < 40; ++i) {
    TaskNetwork task{.task_uid = name(i), .owner = name(i), .attachments = {{"blue", address(i)}}};
    if (i % 4 == 0) task.ports = {{.host_port = static_cast<std::uint16_t>(9000 + i), .container_port = 80}};
    attached.push_back(loop_.start(networks_->attach(task)));
  }
  std::vector<Place> places;
  for (auto& each : attached) EXPECT_TRUE(each.get().has_value());
  for (int i = 0; i < 40; ++i) places.push_back(networks_->namespace_path(name(i)));
  for (int i = 0; i < 40; i += 4) {
    const Server server(places[static_cast<std::size_t>(i)], address(i), 80);
    expect_ok(networks_->publish(name(i)));
    EXPECT_EQ(ask(places.back(), address(i), 80), address(39));
    EXPECT_EQ(ask(machine_.outside(), kHostAddress, static_cast<std::uint16_t>(9000 + i)), kOutsideAddress);
  }
  std::vector<std::future<base::Result<>>> detached;
  for (int i = 0; i < 40; ++i) detached.push_back(loop_.start(networks_->detach(name(i))));
  for (auto& each : detached) EXPECT_TRUE(each.get().has_value());
  auto socket = NetlinkSocket::open().value();
  EXPECT_THAT(list_links(socket, Names(id_).veth_prefix()).value(), IsEmpty());
}

}  // namespace
}  // namespace orchion::node::networks
