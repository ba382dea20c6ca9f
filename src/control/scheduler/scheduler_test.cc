#include "control/scheduler/scheduler.h"

#include <chrono>
#include <map>

#include <gtest/gtest.h>

#include "core/lifecycle.h"

namespace orchion::control::scheduler {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
constexpr std::int64_t kCore = 1'000'000'000;

struct NodeOptions {
  std::int64_t cores = 4;
  std::int64_t memory = 8 * kGiB;
  v1::NodeSpec::Availability availability = v1::NodeSpec::ACTIVE;
  v1::NodeStatus::State state = v1::NodeStatus::READY;
  std::string architecture = "amd64";
};

std::shared_ptr<v1::Node> make_node(const std::string& name, const NodeOptions& options = {}) {
  auto node = std::make_shared<v1::Node>();
  node->mutable_meta()->set_name(name);
  node->mutable_meta()->set_uid("uid-" + name);
  node->mutable_spec()->set_availability(options.availability);
  node->mutable_status()->set_state(options.state);
  auto& capabilities = *node->mutable_status()->mutable_capabilities();
  capabilities.set_nano_cpus(options.cores * kCore);
  capabilities.set_memory_bytes(options.memory);
  capabilities.set_architecture(options.architecture);
  capabilities.set_hostname(name);
  return node;
}

NodeView view(const std::string& name, const NodeOptions& options = {}) {
  return {make_node(name, options)};
}

HostPort tcp(std::uint32_t port, const std::string& ip = "") {
  v1::PortMapping mapping;
  mapping.set_host_port(port);
  mapping.set_host_ip(ip);
  return HostPort::of(mapping);
}

PlacementInput input(std::vector<NodeView> nodes, TaskClass wanted, std::size_t count = 1) {
  PlacementInput result;
  result.nodes = std::move(nodes);
  result.classes.push_back(std::move(wanted));
  result.tasks.assign(count, 0);
  return result;
}

TEST(Scheduler, FindsTheNodesThatHaveWhatRunsIt) {
  auto docker = make_node("docker");
  auto& engine = *docker->mutable_status()->mutable_capabilities()->add_runtimes();
  engine.set_executor("docker");
  engine.add_oci_runtimes("runc");
  auto plain = make_node("plain");
  auto& crun = *plain->mutable_status()->mutable_capabilities()->add_runtimes();
  crun.set_executor("oci");
  crun.set_is_default(true);
  crun.add_oci_runtimes("crun");
  const auto decide = [&](const std::string& executor, const std::string& oci_runtime) {
    TaskClass wanted;
    wanted.executor = executor;
    wanted.oci_runtime = oci_runtime;
    return place(input({{docker}, {plain}}, wanted))[0];
  };
  EXPECT_EQ(decide("docker", "").node, 0);
  EXPECT_EQ(decide("docker", "runc").node, 0);
  EXPECT_EQ(decide("", "crun").node, 1);
  EXPECT_EQ(decide("docker", "runsc").reason, "0 of 2 nodes: 1 lacks docker, 1 lacks runsc in docker");
  EXPECT_EQ(decide("podman", "").reason, "0 of 2 nodes: 2 lack podman");
}

TEST(Scheduler, GoesWhereItHasNotFailedAndElseWhereThatIsLongestAgo) {
  for (const auto strategy :
       {Strategy::kService, Strategy::kSpread, Strategy::kLeastLoaded, Strategy::kBinPack, Strategy::kRoundRobin}) {
    TaskClass wanted;
    wanted.strategy = strategy;
    wanted.avoided = {{0, 1}, {1, 2}};
    PlacementInput crowded = input({view("a"), view("b"), view("c")}, wanted);
    crowded.groups = {{"web", {{2, 5}}}};
    EXPECT_EQ(place(crowded)[0].node, 2);
    EXPECT_EQ(place(input({view("a"), view("b"), view("c", {.availability = v1::NodeSpec::DRAINED})}, wanted))[0].node,
              0);
    wanted.avoided = {{0, 2}, {1, 1}};
    EXPECT_EQ(place(input({view("a"), view("b"), view("c", {.availability = v1::NodeSpec::DRAINED})}, wanted))[0].node,
              1);
  }
}

TEST(Scheduler, FindsTheNodesThatGiveUsersOfTheirOwn) {
  const auto with = [](const char* name, bool lacks) {
    auto node = make_node(name);
    for (const char* executor : {"oci", "docker"}) {
      auto& runtime = *node->mutable_status()->mutable_capabilities()->add_runtimes();
      runtime.set_executor(executor);
      runtime.set_is_default(executor == std::string("oci"));
      if (lacks || executor == std::string("docker")) runtime.add_lacks("users");
    }
    return node;
  };
  const auto old_kernel = with("old", true), able = with("able", false);
  TaskClass wanted;
  wanted.own_users = true;
  EXPECT_EQ(place(input({{old_kernel}, {able}}, wanted))[0].node, 1);
  EXPECT_EQ(place(input({{old_kernel}}, wanted))[0].reason, "0 of 1 node: 1 lacks users of its own in oci");
  EXPECT_EQ(place(input({{make_node("says-nothing")}}, wanted))[0].node, 0);
  wanted.executor = "docker";
  EXPECT_EQ(place(input({{able}}, wanted))[0].reason, "0 of 1 node: 1 lacks users of its own in docker");
}

TEST(Scheduler, ExplainsEveryRefusal) {
  NodeView without_memory = view("a");
  without_memory.reserved_memory_bytes = 8 * kGiB - kGiB * 5 / 4;
  NodeView with_less = view("b");
  with_less.reserved_memory_bytes = 7 * kGiB + 1;
  TaskClass wanted;
  wanted.memory_bytes = 4 * kGiB;
  const auto decisions =
      place(input({view("c", {.availability = v1::NodeSpec::DRAINED}), without_memory, with_less}, wanted));
  EXPECT_EQ(decisions[0].node, Decision::kNone);
  EXPECT_EQ(decisions[0].reason, "0 of 3 nodes: 2 lack memory (need 4 GiB, free 1.2), 1 is drained");
}

TEST(Scheduler, ReasonsTable) {
  const struct {
    std::vector<NodeView> nodes;
    TaskClass wanted;
    const char* reason;
  } cases[] = {
      {{}, {}, "0 of 0 nodes: none has joined; start an agent"},
      {{view("a", {.state = v1::NodeStatus::LOST})}, {}, "0 of 1 node: 1 is lost"},
      {{view("a", {.state = v1::NodeStatus::UNKNOWN}), view("b", {.state = v1::NodeStatus::UNKNOWN})},
       {},
       "0 of 2 nodes: 2 are not ready"},
      {{view("a", {.availability = v1::NodeSpec::PAUSED})}, {}, "0 of 1 node: 1 is paused"},
      {{view("a"), view("b")},
       {.constraints = {"node.labels.gpu==yes"}},
       "0 of 2 nodes: 2 do not match node.labels.gpu==yes"},
      {{view("a")}, {.constraints = {"node.name!=a"}}, "0 of 1 node: 1 does not match node.name!=a"},
      {{view("a", {.architecture = "arm64"})},
       {.architecture = "amd64"},
       "0 of 1 node: 1 is arm64 (the image is amd64)"},
      {{view("a")}, {.nano_cpus = 5 * kCore + kCore / 2}, "0 of 1 node: 1 lacks processors (need 5.5, free 4)"},
  };
  for (const auto& c : cases) EXPECT_EQ(place(input(c.nodes, c.wanted))[0].reason, c.reason);
}

TEST(Scheduler, ANodeThatIsLeavingGetsNothing) {
  auto node = make_node("a");
  core::mark_deleted(*node->mutable_meta(), base::WallTime(std::chrono::seconds(1)));
  EXPECT_EQ(place(input({{node}}, {}))[0].reason, "0 of 1 node: 1 is being removed");
}

TEST(Scheduler, SpreadsReplicasEvenly) {
  PlacementInput where = input({view("a"), view("b"), view("c")}, {}, 7);
  where.groups = {{"web", {{0, 2}}}};
  const auto decisions = place(where);
  std::map<int, int> counts{{0, 2}};
  for (const auto& decision : decisions) ++counts[decision.node];
  EXPECT_EQ(counts, (std::map<int, int>{{0, 3}, {1, 3}, {2, 3}}));
}

TEST(Scheduler, FillsTheFullestNodeThatFits) {
  NodeView full = view("full"), half = view("half");
  full.reserved_memory_bytes = 7 * kGiB;
  half.reserved_memory_bytes = 4 * kGiB;
  TaskClass wanted;
  wanted.memory_bytes = kGiB;
  EXPECT_EQ(place(input({view("empty"), half, full}, wanted))[0].node, 2);
  wanted.memory_bytes = 2 * kGiB;
  EXPECT_EQ(place(input({view("empty"), half, full}, wanted))[0].node, 1);
}

TEST(Scheduler, WhatReservesNothingGoesWhereLeastRuns) {
  NodeView busy = view("busy");
  busy.tasks = 3;
  EXPECT_EQ(place(input({busy, view("idle")}, {}))[0].node, 1);
}

TEST(Scheduler, AnOvercommittedNodeStillTakesWhatReservesNothing) {
  NodeView over = view("over");
  over.reserved_memory_bytes = 9 * kGiB;
  EXPECT_EQ(place(input({over}, {}))[0].node, 0);
}

TEST(Scheduler, ReservationsOfOneRunAddUp) {
  TaskClass wanted;
  wanted.memory_bytes = 3 * kGiB;
  const auto decisions = place(input({view("a"), view("b")}, wanted, 5));
  for (int i = 0; i < 4; ++i) EXPECT_NE(decisions[static_cast<std::size_t>(i)].node, Decision::kNone);
  EXPECT_EQ(decisions[4].reason, "0 of 2 nodes: 2 lack memory (need 3 GiB, free 2)");
}

TEST(Scheduler, AFixedPortIsTakenOncePerNode) {
  NodeView other = view("a");
  other.ports = {tcp(443)};
  TaskClass wanted;
  wanted.ports = {tcp(8080)};
  const auto decisions = place(input({other, view("b")}, wanted, 3));
  EXPECT_NE(decisions[0].node, decisions[1].node);
  EXPECT_EQ(decisions[2].reason, "0 of 2 nodes: 2 have port 8080/tcp taken");
}

TEST(Scheduler, PortsCollideByAddress) {
  EXPECT_TRUE(tcp(80).collides(tcp(80, "127.0.0.1")));
  EXPECT_TRUE(tcp(80, "0.0.0.0").collides(tcp(80, "::")));
  EXPECT_FALSE(tcp(80, "127.0.0.1").collides(tcp(80, "127.0.0.2")));
  EXPECT_FALSE(tcp(80).collides(tcp(81)));
  v1::PortMapping udp;
  udp.set_host_port(80);
  udp.set_protocol("udp");
  EXPECT_FALSE(tcp(80).collides(HostPort::of(udp)));
  EXPECT_EQ(HostPort::of(udp).text(), "80/udp");
  const auto web = HostPort::owner_of("shop", "web");
  v1::PortMapping mapping;
  mapping.set_host_port(80);
  mapping.set_protocol("tcp");
  EXPECT_FALSE(HostPort::of(mapping, web).collides(HostPort::of(mapping, web))) << "replicas share their port";
  EXPECT_TRUE(HostPort::of(mapping, web).collides(HostPort::of(mapping, HostPort::owner_of("shop", "db"))));
  EXPECT_TRUE(tcp(80).collides(HostPort::of(mapping, web)));
}

TEST(Scheduler, TasksFollowTheirVolume) {
  PlacementInput where = input({view("a"), view("b")}, {.volumes = {0}}, 3);
  where.volumes = {{"data", 1}};
  for (const auto& decision : place(where)) EXPECT_EQ(decision.node, 1);
  where.volumes[0].node = VolumeView::kGone;
  EXPECT_EQ(place(where)[0].reason, "0 of 2 nodes: 2 are not where volume data is");
}

TEST(Scheduler, TheFirstTaskPinsAnUnusedVolumeForAllClasses) {
  PlacementInput where = input({view("a"), view("b"), view("c")}, {.volumes = {0}}, 2);
  where.classes.push_back({.volumes = {0}});
  where.tasks.push_back(1);
  where.volumes = {{"data", VolumeView::kAnywhere}};
  const auto decisions = place(where);
  EXPECT_EQ(decisions[0].node, decisions[1].node);
  EXPECT_EQ(decisions[0].node, decisions[2].node);
}

TEST(Scheduler, AnImageThatIsThereMayRunThere) {
  TaskClass wanted{.architecture = "amd64", .image_on = {"pi"}};
  EXPECT_EQ(place(input({view("pi", {.architecture = "arm64"})}, wanted))[0].node, 0);
}

TEST(Scheduler, TheSeedChoosesAmongEqualsAndRepeats) {
  std::map<int, int> chosen;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    PlacementInput where = input({view("a"), view("b"), view("c")}, {});
    where.seed = seed;
    const int node = place(where)[0].node;
    EXPECT_EQ(place(where)[0].node, node);
    ++chosen[node];
  }
  EXPECT_EQ(chosen, (std::map<int, int>{{0, 2}, {1, 2}, {2, 2}}));
}

// A check of the shape, not of speed: each task of a class that can't be placed costs no further scan.
TEST(Scheduler, ManyTasksOnManyNodes) {
  std::vector<NodeView> nodes;
  for (int i = 0; i < 200; ++i) nodes.push_back(view("n" + std::to_string(i)));
  TaskClass wanted;
  wanted.memory_bytes = kGiB;
  const auto decisions = place(input(nodes, wanted, 10'000));
  std::map<int, int> counts;
  for (const auto& decision : decisions) ++counts[decision.node];
  EXPECT_EQ(counts[Decision::kNone], 10'000 - 200 * 8);
  for (int n = 0; n < 200; ++n) EXPECT_EQ(counts[n], 8);
}

}  // namespace
}  // namespace orchion::control::scheduler
