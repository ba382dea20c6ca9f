#include "control/controllers/allocations.h"

#include <gtest/gtest.h>

#include "core/lifecycle.h"

namespace orchion::control::controllers {
namespace {

const store::ObjectName kWeb{"shop", "web"};
constexpr Cost kCost{500, 1000};

v1::Task task(const std::string& uid, const std::string& node = "n1", std::uint32_t port = 0,
              const std::string& address = "") {
  v1::Task result;
  result.mutable_meta()->set_uid(uid);
  result.mutable_meta()->set_stack("shop");
  result.mutable_meta()->set_name("web.1." + uid);
  result.mutable_spec()->set_service("web");
  if (node.empty()) return result;
  auto& assignment = *result.mutable_spec()->mutable_assignment();
  assignment.set_node_uid(node);
  if (port != 0) assignment.add_ports()->set_host_port(port);
  if (!address.empty()) {
    assignment.add_addresses()->set_network_uid("net");
    assignment.mutable_addresses(0)->set_address(address);
  }
  return result;
}

TEST(Allocations, CountByNodeAndService) {
  Allocations allocations;
  allocations.put(task("a", "n1", 80), kCost);
  allocations.put(task("b", "n1", 81), kCost);
  allocations.put(task("c", "n2"), kCost);
  EXPECT_EQ(allocations.of_node("n1").nano_cpus, 1000);
  EXPECT_EQ(allocations.of_node("n1").memory_bytes, 2000);
  EXPECT_EQ(allocations.of_node("n1").tasks, 2u);
  EXPECT_EQ(allocations.of_node("n1").ports.size(), 2u);
  EXPECT_EQ(allocations.nodes_of_owner(kWeb), (std::map<std::string, std::uint32_t>{{"n1", 2}, {"n2", 1}}));
  allocations.erase("a");
  allocations.erase("a");
  EXPECT_EQ(allocations.of_node("n1").tasks, 1u);
  ASSERT_EQ(allocations.of_node("n1").ports.size(), 1u);
  EXPECT_EQ(allocations.of_node("n1").ports[0].text(), "81/tcp");
  EXPECT_EQ(allocations.of_node("nowhere").tasks, 0u);
}

TEST(Allocations, WhatEndedKeepsItsAddressOnly) {
  Allocations allocations;
  v1::Task ended = task("a", "n1", 80, "10.0.0.2");
  allocations.put(ended, kCost);
  ended.mutable_status()->set_state(v1::STOPPED);
  allocations.put(ended, kCost);
  EXPECT_EQ(allocations.of_node("n1").tasks, 0u);
  EXPECT_TRUE(allocations.of_node("n1").ports.empty());
  EXPECT_TRUE(allocations.is_network_used("net"));
  allocations.erase("a");
  EXPECT_FALSE(allocations.is_network_used("net"));
}

TEST(Allocations, TasksWithoutAPlaceAreKnown) {
  Allocations allocations;
  allocations.put(task("a", ""), kCost);
  EXPECT_EQ(allocations.unassigned(), (std::set<store::ObjectName>{{"shop", "web.1.a"}}));
  allocations.put(task("a"), kCost);
  EXPECT_TRUE(allocations.unassigned().empty());
  v1::Task deleted = task("b", "");
  core::mark_deleted(*deleted.mutable_meta(), base::WallTime());
  allocations.put(deleted, kCost);
  EXPECT_TRUE(allocations.unassigned().empty());
}

TEST(Allocations, AClaimThatCameToNothingLeavesNothing) {
  Allocations allocations;
  allocations.put(task("waiting", ""), kCost);
  {
    const auto claim = allocations.claim({{{task("waiting", "n1", 80, "10.0.0.2"), kCost}}, {{"v1", "n1"}}});
    EXPECT_EQ(allocations.of_node("n1").tasks, 1u);
    EXPECT_TRUE(allocations.unassigned().empty()) << "nobody else may place it now";
    EXPECT_EQ(allocations.volume_claim("v1"), "n1");
  }
  EXPECT_EQ(allocations.of_node("n1").tasks, 0u);
  EXPECT_FALSE(allocations.is_network_used("net"));
  EXPECT_EQ(allocations.unassigned().size(), 1u);
  EXPECT_EQ(allocations.volume_claim("v1"), "");
}

TEST(Allocations, AClaimThatCameTrueStays) {
  Allocations allocations;
  {
    const auto claim = allocations.claim({{{task("a"), kCost}}, {}});
    allocations.put(task("a"), kCost);
  }
  EXPECT_EQ(allocations.of_node("n1").tasks, 1u);
}

v1::Service service(const std::string& uid, const std::string& address) {
  v1::Service result;
  result.mutable_meta()->set_uid(uid);
  auto& given = *result.mutable_status()->add_virtual_addresses();
  given.set_network_uid("net");
  given.set_address(address);
  return result;
}

TEST(Allocations, AServiceHasItsVirtualAddressesAsLongAsItSays) {
  Allocations allocations;
  allocations.put(service("s", "10.0.0.6"));
  allocations.put(task("a", "n1", 0, "10.0.0.2"), kCost);
  EXPECT_EQ(allocations.taken_addresses("net").size(), 2u);
  {
    const auto claim = allocations.claim({{}, {}, {service("s", "10.0.0.5")}});
    EXPECT_TRUE(allocations.taken_addresses("net").contains(*core::parse_ipv4("10.0.0.5")));
  }
  EXPECT_TRUE(allocations.taken_addresses("net").contains(*core::parse_ipv4("10.0.0.6"))) << "it came to nothing";
  EXPECT_EQ(allocations.of_node("n1").tasks, 1u);
  allocations.erase("s");
  EXPECT_EQ(allocations.taken_addresses("net").size(), 1u);
}

// A network of 10.0.0.0/29, which holds five beside its gateway.
AddressRange range(const std::string& gateway = "") {
  v1::Network network;
  network.mutable_status()->set_subnet("10.0.0.0/29");
  network.mutable_status()->set_gateway(gateway);
  return *AddressRange::of(network);
}

std::vector<std::string> all_of(AddressPicker picker) {
  std::vector<std::string> picked;
  while (const auto address = picker.next()) picked.push_back(core::format_ipv4(address));
  EXPECT_EQ(picker.next(), 0u);
  return picked;
}

TEST(Allocations, ThePickerTakesTheLowestFreeAddressOnce) {
  using Texts = std::vector<std::string>;
  Allocations allocations;
  for (const char* address : {"10.0.0.2", "10.0.0.4"}) allocations.put(task(address, "n1", 0, address), kCost);
  const auto& taken = allocations.taken_addresses("net");
  EXPECT_EQ(all_of({taken, {}, range()}), (Texts{"10.0.0.3", "10.0.0.5", "10.0.0.6"})) << "no gateway, no broadcast";
  EXPECT_EQ(all_of({taken, {*core::parse_ipv4("10.0.0.5")}, range("10.0.0.6")}), (Texts{"10.0.0.1", "10.0.0.3"}));
}

TEST(Allocations, APartOfTheSubnetIsAllThereIs) {
  v1::Network network;
  network.mutable_status()->set_subnet("192.168.1.0/24");
  network.mutable_spec()->set_address_range("192.168.1.252/30");
  network.mutable_status()->set_gateway("192.168.1.253");
  const auto part = *AddressRange::of(network);
  EXPECT_EQ(all_of({{}, {}, part}), (std::vector<std::string>{"192.168.1.252", "192.168.1.254"})) << "no broadcast";
  EXPECT_EQ(core::format_ipv4(highest_free_address({}, part)), "192.168.1.254");
  // A wire of others' has the gateway that is named, or none.
  network.mutable_spec()->set_address_range("192.168.1.0/30");
  network.mutable_status()->clear_gateway();
  EXPECT_EQ(all_of({{}, {}, *AddressRange::of(network)}), (std::vector<std::string>{"192.168.1.2", "192.168.1.3"}));
  network.mutable_spec()->set_driver(v1::MACVLAN);
  EXPECT_EQ(all_of({{}, {}, *AddressRange::of(network)}),
            (std::vector<std::string>{"192.168.1.1", "192.168.1.2", "192.168.1.3"}));
}

TEST(Allocations, TasksThatShareANetworkTakeNothingOfIt) {
  Allocations allocations;
  auto sharer = task("sidecar", "n1", 0, "10.0.0.2");
  sharer.mutable_spec()->mutable_assignment()->set_network_of("main");
  allocations.put(sharer, kCost);
  EXPECT_FALSE(allocations.is_network_used("net"));
  allocations.put(task("main", "n1", 0, "10.0.0.2"), kCost);
  allocations.erase("sidecar");
  EXPECT_TRUE(allocations.is_network_used("net"));
}

TEST(Allocations, ServicesTakeTheHighestFreeAddress) {
  std::set<std::uint32_t> taken;
  std::vector<std::string> picked;
  while (const auto address = highest_free_address(taken, range("10.0.0.5"))) {
    taken.insert(address);
    picked.push_back(core::format_ipv4(address));
  }
  EXPECT_EQ(picked, (std::vector<std::string>{"10.0.0.6", "10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"}));
  v1::Network one;
  one.mutable_status()->set_subnet("10.0.0.0/32");
  EXPECT_EQ(highest_free_address({}, *AddressRange::of(one)), 0u);
  EXPECT_FALSE(AddressRange::of(v1::Network()));
}

}  // namespace
}  // namespace orchion::control::controllers
