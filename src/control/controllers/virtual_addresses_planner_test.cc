#include "control/controllers/virtual_addresses_planner.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/lifecycle.h"
#include "core/subnet.h"

namespace orchion::control::controllers {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The service shop/web in "front" and "back", each with five addresses beside its gateway.
struct Shop {
  Allocations allocations;
  ClusterSnapshot cluster;
  v1::Service service;
  std::vector<TaskPtr> tasks;

  Shop() {
    cluster.allocations = &allocations;
    service.mutable_meta()->set_stack("shop");
    service.mutable_meta()->set_name("web");
    service.mutable_meta()->set_uid("uid-web");
    add_network("shop", "front", "10.0.0.0/29");
    add_network("shop", "back", "10.0.1.0/29");
    join("front");
    join("back");
  }

  v1::Network& add_network(const std::string& stack, const std::string& name, const std::string& subnet) {
    auto network = std::make_shared<v1::Network>();
    network->mutable_meta()->set_stack(stack);
    network->mutable_meta()->set_name(name);
    network->mutable_meta()->set_uid("uid-" + name);
    network->mutable_status()->set_subnet(subnet);
    cluster.networks[{stack, name}] = network;
    return *network;
  }

  void join(const std::string& network) {
    service.mutable_spec()->mutable_container()->add_networks()->set_network(network);
  }

  void leave(const std::string& network) {
    auto& joined = *service.mutable_spec()->mutable_container()->mutable_networks();
    joined.erase(std::remove_if(joined.begin(), joined.end(), [&](const auto& a) { return a.network() == network; }),
                 joined.end());
  }

  // A task of the service that has the address.
  void add_task(const std::string& network, const std::string& address, v1::TaskState state = v1::RUNNING) {
    v1::Task task;
    task.mutable_meta()->set_uid("task-" + address);
    auto& entry = *task.mutable_spec()->mutable_assignment()->add_addresses();
    entry.set_network_uid("uid-" + network);
    entry.set_address(address);
    task.mutable_status()->set_state(state);
    allocations.put(task, {});
    tasks.push_back(std::make_shared<v1::Task>(task));
  }

  // What is planned, and from then on is so.
  std::vector<std::string> settle() {
    const auto planned = plan_virtual_addresses(service, tasks, cluster);
    *service.mutable_status()->mutable_virtual_addresses() = planned.list;
    allocations.put(service);
    message = planned.message;
    std::vector<std::string> all;
    for (const auto& entry : planned.list)
      all.push_back(entry.network() + " " + entry.address() + (entry.address6().empty() ? "" : " " + entry.address6()));
    return all;
  }

  std::string message;
};

TEST(VirtualAddresses, OneInEachNetworkFarFromTheTasks) {
  Shop shop;
  shop.add_task("front", "10.0.0.2");
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.6", "back 10.0.1.6"));
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.6", "back 10.0.1.6")) << "it keeps them";
  EXPECT_EQ(shop.allocations.taken_addresses("uid-front").size(), 2u);
  shop.service.mutable_spec()->set_endpoint_mode(v1::TASK_ADDRESSES);
  EXPECT_THAT(shop.settle(), IsEmpty());
}

TEST(VirtualAddresses, NoneOnAWireOfOthers) {
  Shop shop;
  shop.add_network("shop", "front", "10.0.0.0/29").mutable_spec()->set_driver(v1::MACVLAN);
  EXPECT_THAT(shop.settle(), ElementsAre("back 10.0.1.6"));
  EXPECT_EQ(shop.message, "");
}

TEST(VirtualAddresses, NeitherATasksNorTheGateways) {
  Shop shop;
  shop.add_network("shop", "front", "10.0.0.0/29").mutable_status()->set_gateway("10.0.0.6");
  shop.add_task("front", "10.0.0.5", v1::FAILED);
  v1::Service other;
  other.mutable_meta()->set_uid("uid-other");
  auto& entry = *other.mutable_status()->add_virtual_addresses();
  entry.set_network_uid("uid-front");
  entry.set_address("10.0.0.4");
  shop.allocations.put(other);
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.3", "back 10.0.1.6"))
      << "something may be left of a task that has ended";
}

TEST(VirtualAddresses, ANetworkThatIsNotReadyIsLeftForLater) {
  Shop shop;
  shop.add_network("shop", "front", "");
  EXPECT_THAT(shop.settle(), ElementsAre("back 10.0.1.6"));
  EXPECT_EQ(shop.message, "") << "what the network lacks is said elsewhere";
  EXPECT_TRUE(lacks_virtual_address(shop.service));
  shop.add_network("shop", "front", "10.0.0.0/29");
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.6", "back 10.0.1.6"));
  EXPECT_FALSE(lacks_virtual_address(shop.service));
}

TEST(VirtualAddresses, AFullNetworkIsSaid) {
  Shop shop;
  for (const char* address : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"})
    shop.add_task("front", address);
  EXPECT_THAT(shop.settle(), ElementsAre("back 10.0.1.6"));
  EXPECT_EQ(shop.message,
            "has no address of its own in network front, since none of 10.0.0.0/29 is free; until one is, its name "
            "leads to its tasks' addresses: take something out of the network, or make it anew with a wider subnet");
  EXPECT_TRUE(lacks_virtual_address(shop.service));
  shop.allocations.erase("task-10.0.0.4");
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.4", "back 10.0.1.6"));
  EXPECT_EQ(shop.message, "");
}

TEST(VirtualAddresses, StayUntilTheLastTaskHasLeft) {
  Shop shop;
  shop.add_task("back", "10.0.1.2");
  shop.settle();
  shop.leave("back");
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.6", "back 10.0.1.6"));
  shop.tasks.clear();
  const v1::Service before = shop.service;
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.6"));
  EXPECT_TRUE(frees_address(&before, &shop.service));
  EXPECT_FALSE(frees_address(&shop.service, &before));
  EXPECT_TRUE(frees_address(&before, nullptr));
  EXPECT_EQ(shop.allocations.taken_addresses("uid-back").size(), 1u) << "the task's alone";
}

TEST(VirtualAddresses, AnotherNetworkOfTheNameIsAnotherNetwork) {
  Shop shop;
  shop.settle();
  shop.add_network("shop", "front", "10.0.2.0/29").mutable_meta()->set_uid("uid-new");
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.2.6", "back 10.0.1.6"));
  shop.cluster.networks.clear();
  EXPECT_THAT(shop.settle(), IsEmpty()) << "they are gone";
}

TEST(VirtualAddresses, ANetworkOfAnotherStackAndIPv6) {
  Shop shop;
  shop.join("infra/front");
  auto& network = shop.add_network("infra", "front", "10.0.3.0/24");
  network.mutable_meta()->set_uid("uid-infra");
  EXPECT_THAT(shop.settle(), ElementsAre("front 10.0.0.6", "back 10.0.1.6", "infra/front 10.0.3.254"));
  network.mutable_status()->set_subnet6("fd00:3::/64");
  EXPECT_EQ(shop.settle().back(), "infra/front 10.0.3.254 fd00:3::a00:3fe") << "IPv6 came later";
  core::mark_deleted(*network.mutable_meta(), base::WallTime(std::chrono::seconds(1)));
  EXPECT_EQ(shop.settle().size(), 3u) << "what it has stays as long as the network does";
  shop.service.mutable_status()->clear_virtual_addresses();
  EXPECT_EQ(shop.settle().size(), 2u) << "nothing new comes into one that goes";
}

TEST(VirtualAddresses, WhatAPlanGivesIsKnownToItsTasks) {
  Shop shop;
  const auto planned = plan_virtual_addresses(shop.service, shop.tasks, shop.cluster);
  EXPECT_EQ(taken_by(planned), (AddressSets{{"uid-front", {*core::parse_ipv4("10.0.0.6")}},
                                            {"uid-back", {*core::parse_ipv4("10.0.1.6")}}}));
}

}  // namespace
}  // namespace orchion::control::controllers
