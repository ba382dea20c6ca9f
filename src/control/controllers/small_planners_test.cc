// Networks, placement and garbage: planners with few cases each.

#include <functional>

#include <gtest/gtest.h>

#include "control/controllers/garbage_planner.h"
#include "control/controllers/network_planner.h"
#include "control/controllers/placement_planner.h"
#include "core/lifecycle.h"
#include "core/subnet.h"

namespace orchion::control::controllers {
namespace {

const Now kNow{base::Time(std::chrono::seconds(1000)), base::WallTime(std::chrono::seconds(1767225600))};

NetworkPtr network(const std::string& name, const std::string& wanted, const std::string& has = "") {
  auto result = std::make_shared<v1::Network>();
  result->mutable_meta()->set_stack("shop");
  result->mutable_meta()->set_name(name);
  result->mutable_meta()->set_uid("uid-" + name);
  result->mutable_spec()->set_subnet(wanted);
  result->mutable_status()->set_subnet(has);
  return result;
}

// The subnet the network gets, or what is said instead.
std::string outcome(const NetworkSnapshot& snapshot) {
  base::Random random(1);
  for (const auto& unit : plan_network(snapshot, kNow, random).units)
    for (const auto& write : unit)
      if (const auto* changed = std::get_if<v1::Network>(&write.object)) {
        if (write.verb == Verb::kRemove) return "removed";
        return changed->status().message().empty() ? changed->status().subnet() : changed->status().message();
      }
  return {};
}

TEST(NetworkPlanner, Table) {
  const auto other = network("other", "", "10.192.16.0/20");
  EXPECT_EQ(outcome({network("n", ""), {other}}), "10.192.0.0/20");
  EXPECT_EQ(outcome({network("n", ""), {other, network("x", "", "10.192.0.0/21")}}), "10.192.32.0/20")
      << "a smaller one inside is in the way too";
  EXPECT_EQ(outcome({network("n", "10.7.0.0/16"), {other}}), "10.7.0.0/16");
  EXPECT_EQ(outcome({network("n", "10.192.16.0/24"), {other}}),
            "its subnet 10.192.16.0/24 overlaps 10.192.16.0/20 of network shop/other; choose another");
  EXPECT_EQ(outcome({network("n", "", "10.192.0.0/20"), {}}), "") << "it has one";
  EXPECT_EQ(outcome({network("n", ""), {network("all", "", "10.128.0.0/9")}}),
            "the pool 10.192.0.0/10 has no free subnet left; remove networks or name a subnet");
}

using Change = std::function<void(v1::Network&)>;

// The network's status after one plan.
v1::NetworkStatus planned(const Change& change, std::vector<NetworkPtr> others = {}) {
  auto made = std::make_shared<v1::Network>(*network("n", ""));
  change(*made);
  base::Random random(1);
  const auto plan = plan_network({made, std::move(others), false, {}, {}, "cluster"}, kNow, random);
  for (const auto& unit : plan.units)
    for (const auto& write : unit)
      if (const auto* changed = std::get_if<v1::Network>(&write.object)) return changed->status();
  return made->status();
}

TEST(NetworkPlanner, AGatewayIsOneOfTheSubnetsAddresses) {
  const struct {
    const char *subnet, *gateway, *expected;
  } cases[] = {
      {"", "", "10.192.0.1"},
      {"10.7.0.0/24", "", "10.7.0.1"},
      {"10.7.0.0/24", "10.7.0.254", "10.7.0.254"},
      {"10.7.0.0/24", "10.7.0.255",
       "its gateway 10.7.0.255 is no address of its subnet 10.7.0.0/24; choose one between 10.7.0.1 and 10.7.0.254"},
      {"10.7.0.0/24", "10.7.0.0",
       "its gateway 10.7.0.0 is no address of its subnet 10.7.0.0/24; choose one between 10.7.0.1 and 10.7.0.254"},
      {"10.7.0.0/24", "x",
       "its gateway x is no address of its subnet 10.7.0.0/24; choose one between 10.7.0.1 and 10.7.0.254"},
      {"", "10.7.0.1", "its gateway 10.7.0.1 is no address of its subnet 10.192.0.0/20; name the subnet too"},
  };
  for (const auto& c : cases) {
    const auto status = planned([&](v1::Network& network) {
      network.mutable_spec()->set_subnet(c.subnet);
      network.mutable_spec()->set_gateway(c.gateway);
    });
    EXPECT_EQ(status.message().empty() ? status.gateway() : status.message(), c.expected);
    EXPECT_EQ(status.subnet().empty(), !status.message().empty()) << "all or nothing";
  }
}

void want_ipv6(v1::Network& network) {
  network.mutable_spec()->set_enable_ipv6(true);
}

TEST(NetworkPlanner, IPv6ComesFromThePrefixOfTheCluster) {
  const auto prefix = cluster_prefix("cluster");
  EXPECT_EQ(prefix.prefix, 48);
  EXPECT_TRUE(core::parse_subnet6("fd00::/8")->contains(prefix.base));
  EXPECT_NE(prefix, cluster_prefix("another"));

  const auto first = planned(want_ipv6);
  EXPECT_EQ(first.subnet6(), (core::Subnet6{prefix.base, 64}).text());
  EXPECT_EQ(first.gateway6(), core::format_ipv6(core::parse_subnet6(first.subnet6())->of(0x0ac00001)));
  EXPECT_EQ(planned([](v1::Network&) {}).subnet6(), "") << "nobody asked for it";

  auto taken = std::make_shared<v1::Network>(*network("other", "", "10.192.16.0/20"));
  taken->mutable_status()->set_subnet6(first.subnet6());
  const auto second = core::parse_subnet6(planned(want_ipv6, {taken}).subnet6());
  EXPECT_TRUE(prefix.contains(second->base));
  EXPECT_FALSE(second->overlaps(*core::parse_subnet6(first.subnet6())));

  taken->mutable_status()->set_subnet6(prefix.text());
  EXPECT_EQ(
      planned(want_ipv6, {taken}).message(),
      "the cluster's prefix " + prefix.text() + " has no free subnet left; remove networks or name an IPv6 subnet");
}

TEST(NetworkPlanner, AnIPv6SubnetThatIsNamed) {
  auto other = std::make_shared<v1::Network>(*network("other", "", "10.192.16.0/20"));
  other->mutable_status()->set_subnet6("fd00:7::/64");
  const auto said = [&](const char* subnet6) {
    const auto status = planned(
        [&](v1::Network& network) {
          want_ipv6(network);
          network.mutable_spec()->set_subnet6(subnet6);
        },
        {other});
    EXPECT_EQ(status.subnet().empty(), !status.message().empty()) << "all or nothing";
    return status.message().empty() ? status.subnet6() + " " + status.gateway6() : status.message();
  };
  EXPECT_EQ(said("FD00:8::/96"), "fd00:8::/96 fd00:8::ac0:1");
  EXPECT_EQ(said("2001:db8::/48"), "2001:db8::/48 2001:db8::ac0:1");
  EXPECT_EQ(said("fd00:8::/97"),
            "its subnet fd00:8::/97 is too narrow for addresses that end like those of IPv4; make it /96 or wider");
  EXPECT_EQ(said("fd00::/16"), "its subnet fd00::/16 overlaps fd00:7::/64 of network shop/other; choose another");
  EXPECT_EQ(said("fe80::/64"),
            "its subnet fe80::/64 overlaps fe80::/10, where no task can have an address; choose one of fd00::/8");
  EXPECT_EQ(said("fd00::1/64"), "\"fd00::1/64\" is an address in a subnet: the subnet is fd00::/64");
}

TEST(NetworkPlanner, IPv6CanBeAddedToANetworkThatStands) {
  const auto stands = [](v1::Network& network) {
    network.mutable_status()->set_subnet("10.7.0.0/24");
    network.mutable_status()->set_gateway("10.7.0.9");
    want_ipv6(network);
  };
  const auto status = planned(stands);
  EXPECT_EQ(status.subnet(), "10.7.0.0/24");
  EXPECT_TRUE(status.gateway6().ends_with(":a07:9")) << status.gateway6();
  const auto failed = planned([&](v1::Network& network) {
    stands(network);
    network.mutable_spec()->set_subnet6("fd00::/128");
  });
  EXPECT_EQ(failed.subnet(), "10.7.0.0/24") << "what it has stays";
  EXPECT_NE(failed.message(), "");
}

TEST(NetworkPlanner, AFailureIsSaidOnceAndForgottenAfterwards) {
  auto wanting = std::make_shared<v1::Network>(*network("n", "10.192.16.0/24"));
  const auto other = network("other", "", "10.192.16.0/20");
  base::Random random(1);
  const auto first = plan_network({wanting, {other}}, kNow, random);
  ASSERT_EQ(first.units.size(), 1u);
  ASSERT_EQ(first.units[0].size(), 2u);
  EXPECT_EQ(std::get<v1::Event>(first.units[0][0].object).reason(), "NoSubnet");
  *wanting = std::get<v1::Network>(first.units[0][1].object);
  EXPECT_TRUE(plan_network({wanting, {other}}, kNow, random).units.empty());
  const auto done = plan_network({wanting, {}}, kNow, random);
  ASSERT_EQ(done.units.size(), 1u);
  EXPECT_EQ(done.units[0].size(), 1u) << "no event";
  EXPECT_EQ(std::get<v1::Network>(done.units[0][0].object).status().message(), "");
}

TEST(NetworkPlanner, StaysWhileSomethingIsInIt) {
  auto leaving = std::make_shared<v1::Network>(*network("n", "", "10.192.0.0/20"));
  core::mark_deleted(*leaving->mutable_meta(), kNow.wall);
  core::add_finalizer(*leaving->mutable_meta(), core::kNetworkFinalizer);
  const std::string said = "is still used by blog/web, shop/db: remove what uses it, or take that out of the network";
  EXPECT_EQ(outcome({leaving, {}, false, {}, {"shop/db", "blog/web"}}), said);
  leaving->mutable_status()->set_message(said);
  EXPECT_EQ(outcome({leaving, {}, false, {}, {"shop/db", "blog/web"}}), "") << "it is said already";
  EXPECT_EQ(outcome({leaving, {}, true, {}, {}}), "10.192.0.0/20") << "the message is taken back";
  EXPECT_EQ(outcome({leaving, {}, false, {}, {}}), "removed");
}

TEST(NetworkPlanner, GoesWhenNobodyHoldsAnAddress) {
  auto leaving = std::make_shared<v1::Network>(*network("n", "", "10.192.0.0/20"));
  core::mark_deleted(*leaving->mutable_meta(), kNow.wall);
  core::add_finalizer(*leaving->mutable_meta(), core::kNetworkFinalizer);
  EXPECT_EQ(outcome({leaving, {}, true}), "");
  EXPECT_EQ(outcome({leaving, {}, false}), "removed");
}

// The finalizers that are left when it has been planned once; "removed" where it goes.
std::string waited_for(v1::Network leaving, std::set<std::string> nodes) {
  base::Random random(1);
  const auto units =
      plan_network({std::make_shared<v1::Network>(std::move(leaving)), {}, false, std::move(nodes)}, kNow, random)
          .units;
  if (units.empty()) return "no change";
  if (units[0][0].verb == Verb::kRemove) return "removed";
  std::string all;
  for (const auto& finalizer : std::get<v1::Network>(units[0][0].object).meta().finalizers()) all += finalizer + " ";
  return all;
}

TEST(NetworkPlanner, WaitsForTheNodesThatHaveItAndAnswer) {
  v1::Network leaving = *network("n", "", "10.192.0.0/20");
  core::mark_deleted(*leaving.mutable_meta(), kNow.wall);
  core::add_finalizer(*leaving.mutable_meta(), core::kNetworkFinalizer);
  for (const char* node : {"a", "b", "gone"}) leaving.mutable_status()->add_node_uids(node);
  EXPECT_EQ(waited_for(leaving, {"a", "b", "c"}), "agent/a agent/b ");
  EXPECT_EQ(waited_for(leaving, {"c"}), "removed");
  core::remove_finalizer(*leaving.mutable_meta(), core::kNetworkFinalizer);
  core::add_finalizer(*leaving.mutable_meta(), "agent/b");
  EXPECT_EQ(waited_for(leaving, {"a", "b", "c"}), "no change") << "a has confirmed";
  EXPECT_EQ(waited_for(leaving, {"a"}), "removed") << "b was lost meanwhile";
}

// A cluster of nodes "a" and "b" with one network, and a revision that joins it.
struct Place {
  Allocations allocations;
  ClusterSnapshot cluster;
  std::shared_ptr<v1::Revision> revision = std::make_shared<v1::Revision>();

  Place() {
    cluster.allocations = &allocations;
    std::vector<NodePtr> nodes;
    for (const char* name : {"a", "b"}) {
      auto node = std::make_shared<v1::Node>();
      node->mutable_meta()->set_name(name);
      node->mutable_meta()->set_uid(std::string("uid-") + name);
      node->mutable_status()->set_state(v1::NodeStatus::READY);
      nodes.push_back(node);
    }
    cluster.nodes = NodeList(std::move(nodes));
    cluster.networks[{"shop", "default"}] = network("default", "", "10.0.0.0/29");
    revision->mutable_spec()->mutable_template_()->mutable_container()->add_networks()->set_network("default");
  }

  std::vector<Placement> place(std::size_t count) const {
    return place_tasks(cluster, std::vector<TaskToPlace>(count, {{"shop", "web"}, revision}), 1);
  }
  v1::ContainerSpec& container() { return *revision->mutable_spec()->mutable_template_()->mutable_container(); }
};

TEST(PlacementPlanner, GivesAddressesUntilNoneIsLeft) {
  const auto placements = Place().place(6);
  std::set<std::string> addresses;
  for (std::size_t i = 0; i < 5; ++i) addresses.insert(placements[i].assignment->addresses(0).address());
  EXPECT_EQ(addresses, (std::set<std::string>{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}));
  EXPECT_FALSE(placements[5].assignment);
  EXPECT_EQ(
      placements[5].message,
      "network default has no free address in 10.0.0.0/29: take something out of it, or make it anew with a wider "
      "subnet");
}

TEST(PlacementPlanner, AddressesAreNeitherTheGatewaysNorWhatThePlanGivesToOthers) {
  Place place;
  auto other = std::make_shared<v1::Network>(*network("default", "", "10.0.0.0/29"));
  other->mutable_status()->set_gateway("10.0.0.2");
  other->mutable_status()->set_subnet6("fd00:1::/64");
  place.cluster.networks[{"shop", "default"}] = other;
  const AddressSets given{{"uid-default", {*core::parse_ipv4("10.0.0.6"), *core::parse_ipv4("10.0.0.3")}}};
  const auto placements =
      place_tasks(place.cluster, std::vector<TaskToPlace>(4, {{"shop", "web"}, place.revision}), 1, given);
  std::vector<std::string> addresses;
  for (const auto& placement : placements)
    if (placement.assignment) addresses.push_back(placement.assignment->addresses(0).address());
  EXPECT_EQ(addresses, (std::vector<std::string>{"10.0.0.1", "10.0.0.4", "10.0.0.5"}));
  EXPECT_EQ(placements[1].assignment->addresses(0).address6(), "fd00:1::a00:4");
}

TEST(PlacementPlanner, AnotherStacksNetworkIsFoundByItsName) {
  Place place;
  place.container().mutable_networks(0)->set_network("infra/front");
  EXPECT_EQ(place.place(1)[0].message,
            "network infra/front does not exist: see `orchion network ls`, or make it with `orchion network create "
            "infra/front`");
  auto front = std::make_shared<v1::Network>(*network("front", "", "10.1.0.0/24"));
  place.cluster.networks[{"infra", "front"}] = front;
  const auto placed = place.place(1)[0];
  ASSERT_TRUE(placed.assignment) << placed.message;
  EXPECT_EQ(placed.assignment->addresses(0).network(), "infra/front") << "as the attachment has it";
  EXPECT_EQ(placed.assignment->addresses(0).network_uid(), "uid-front");
  core::mark_deleted(*front->mutable_meta(), kNow.wall);
  EXPECT_EQ(place.place(1)[0].message,
            "network infra/front is being removed: take the service out of it, or make it anew");
}

TEST(PlacementPlanner, WithoutItsNetworkOrVolumeNoNodeIsAsked) {
  Place place;
  place.container().mutable_networks(0)->set_network("front");
  EXPECT_EQ(place.place(1)[0].message, "network front does not exist yet");
  place.cluster.networks[{"shop", "front"}] = network("front", "");
  EXPECT_EQ(place.place(1)[0].message, "network front has no subnet yet");
  place.cluster.networks[{"shop", "front"}] = network("front", "", "10.1.0.0/24");
  auto& mount = *place.container().add_mounts();
  mount.set_type(v1::Mount::VOLUME);
  mount.set_source("data");
  EXPECT_EQ(place.place(1)[0].message, "volume data does not exist yet");
}

TEST(PlacementPlanner, FollowsAVolumeThatIsOnlyClaimedYet) {
  Place place;
  auto volume = std::make_shared<v1::Volume>();
  volume->mutable_meta()->set_uid("v");
  place.cluster.volumes[{"shop", "data"}] = volume;
  auto& mount = *place.container().add_mounts();
  mount.set_type(v1::Mount::VOLUME);
  mount.set_source("data");
  const auto claim = place.allocations.claim({{}, {{"v", "uid-b"}}});
  for (const auto& placement : place.place(3)) {
    EXPECT_EQ(placement.assignment->node(), "b");
    EXPECT_EQ(placement.pins.size(), 1u);
  }
}

TEST(PlacementPlanner, HostPortsOfOneCallDontCollide) {
  Place place;
  place.container().add_ports()->set_container_port(80);
  std::set<std::pair<std::string, std::uint32_t>> seen;
  for (const auto& placement : place.place(4))
    EXPECT_TRUE(seen.insert({placement.assignment->node(), placement.assignment->ports(0).host_port()}).second);
  EXPECT_TRUE(seen.contains({"a", 30000}));
  EXPECT_TRUE(seen.contains({"b", 30001}));
}

TEST(PlacementPlanner, WritesAMessageOnlyWhenItChanges) {
  Place place;
  place.container().mutable_networks(0)->set_network("front");
  v1::Task task;
  task.mutable_spec()->set_service("web");
  base::Random random(1);
  const auto plan = [&] {
    return plan_placement({place.cluster, {{std::make_shared<v1::Task>(task), place.revision}}}, kNow, random);
  };
  EXPECT_EQ(plan().units.size(), 1u);
  task.mutable_spec()->set_placement_message("network front does not exist yet");
  EXPECT_TRUE(plan().units.empty());
}

enum class Fate { kStays, kMarked, kRemoved };

Fate fate(const Plan& plan) {
  if (plan.units.empty()) return Fate::kStays;
  return plan.units[0][0].verb == Verb::kRemove ? Fate::kRemoved : Fate::kMarked;
}

TEST(GarbagePlanner, TasksTable) {
  const struct {
    const char* name;
    bool deleted, assigned, finalizer, has_service, has_node;
    Fate expected;
  } cases[] = {
      {"in use", false, true, true, true, true, Fate::kStays},
      {"waits for its agent", true, true, true, true, true, Fate::kStays},
      {"confirmed", true, true, false, true, true, Fate::kRemoved},
      {"never assigned", true, false, false, true, true, Fate::kRemoved},
      {"its node is gone", true, true, true, true, false, Fate::kRemoved},
      {"wanted, though its node is gone", false, true, true, true, false, Fate::kStays},
      {"its service is gone", false, true, true, false, true, Fate::kMarked},
      {"its service and its node are gone", false, true, true, false, false, Fate::kRemoved},
      {"its service is gone, never assigned", false, false, false, false, true, Fate::kRemoved},
  };
  for (const auto& c : cases) {
    auto task = std::make_shared<v1::Task>();
    if (c.deleted) core::mark_deleted(*task->mutable_meta(), kNow.wall);
    if (c.assigned) task->mutable_spec()->mutable_assignment()->set_node_uid("n");
    if (c.finalizer) core::add_finalizer(*task->mutable_meta(), core::kAgentFinalizer);
    EXPECT_EQ(fate(plan_task_garbage({task, c.has_service, c.has_node}, kNow)), c.expected) << c.name;
  }
  auto fenced = std::make_shared<v1::Task>();
  core::mark_deleted(*fenced->mutable_meta(), kNow.wall);
  core::add_finalizer(*fenced->mutable_meta(), core::kAgentFinalizer);
  fenced->mutable_spec()->mutable_assignment()->set_node_uid("n");
  EXPECT_EQ(fate(plan_task_garbage({fenced, true, false, true}, kNow)), Fate::kStays);
  fenced->mutable_spec()->set_desired_state(v1::DESIRED_LOST);
  EXPECT_EQ(fate(plan_task_garbage({fenced, true, false, true}, kNow)), Fate::kRemoved) << "its service gave it up";
}

TEST(GarbagePlanner, ATaskThatGoesLeavesItsRecord) {
  auto task = std::make_shared<v1::Task>();
  task->mutable_meta()->set_uid("u1");
  task->mutable_spec()->mutable_assignment()->set_node("nas");
  core::mark_deleted(*task->mutable_meta(), kNow.wall);
  const auto plan = plan_task_garbage({task}, kNow);
  ASSERT_EQ(plan.units.size(), 1u);
  ASSERT_EQ(plan.units[0].size(), 2u) << "in the same transaction";
  const auto& record = std::get<v1::TaskRecord>(plan.units[0][1].object);
  EXPECT_EQ(record.meta().name(), "u1");
  EXPECT_EQ(record.changes().rbegin()->actor(), "controller garbage");
}

TEST(GarbagePlanner, RevisionsAndVolumes) {
  const auto revision = std::make_shared<v1::Revision>();
  EXPECT_EQ(fate(plan_revision_garbage(revision, true, false)), Fate::kStays);
  EXPECT_EQ(fate(plan_revision_garbage(revision, false, true)), Fate::kStays);
  EXPECT_EQ(fate(plan_revision_garbage(revision, false, false)), Fate::kRemoved);

  auto volume = std::make_shared<v1::Volume>();
  core::add_finalizer(*volume->mutable_meta(), core::kVolumeFinalizer);
  EXPECT_EQ(fate(plan_volume_garbage(volume, false, false)), Fate::kStays);
  core::mark_deleted(*volume->mutable_meta(), kNow.wall);
  EXPECT_EQ(fate(plan_volume_garbage(volume, true, false)), Fate::kStays);
  EXPECT_EQ(fate(plan_volume_garbage(volume, false, false)), Fate::kRemoved);
  core::add_finalizer(*volume->mutable_meta(), "data");
  EXPECT_EQ(fate(plan_volume_garbage(volume, false, false)), Fate::kMarked) << "somebody else still cleans up";
}

TEST(GarbagePlanner, AVolumeWithDataWaitsForItsNode) {
  auto volume = std::make_shared<v1::Volume>();
  core::add_finalizer(*volume->mutable_meta(), core::kVolumeFinalizer);
  core::mark_deleted(*volume->mutable_meta(), kNow.wall);
  const Plan plan = plan_volume_garbage(volume, false, true);
  ASSERT_EQ(fate(plan), Fate::kMarked);
  *volume = std::get<v1::Volume>(plan.units[0][0].object);
  EXPECT_TRUE(core::has_finalizer(volume->meta(), core::kAgentFinalizer));
  EXPECT_EQ(fate(plan_volume_garbage(volume, false, true)), Fate::kStays);
  EXPECT_EQ(fate(plan_volume_garbage(volume, false, false)), Fate::kRemoved) << "its node is gone";
}

TEST(GarbagePlanner, TheOldestEventsGo) {
  std::vector<std::shared_ptr<const v1::Event>> oldest(3, std::make_shared<v1::Event>());
  EXPECT_EQ(plan_event_garbage(oldest, 12, 10).units.size(), 2u);
  EXPECT_EQ(plan_event_garbage(oldest, 10, 10).units.size(), 0u);
  EXPECT_EQ(plan_event_garbage(oldest, 100, 10).units.size(), 3u);
}

}  // namespace
}  // namespace orchion::control::controllers
