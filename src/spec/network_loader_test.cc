// The top-level `networks`, and what services say of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spec/loader.h"
#include "spec/render.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::string_view kServices = "services: {web: {image: a}}\n";

std::string error_in(const std::string& networks) {
  return Folder(std::string(kServices) + "networks: {n: " + networks + "}").error();
}

TEST(NetworkLoader, ANetworkWithAllThereIs) {
  const auto stack = loaded(
      "services:\n"
      "  web:\n"
      "    image: a\n"
      "    networks: {front: {aliases: [shop]}}\n"
      "    deploy: {endpoint_mode: dnsrr}\n"
      "  db: {image: b, networks: [front], deploy: {endpoint_mode: vip}}\n"
      "networks:\n"
      "  front:\n"
      "    driver: overlay\n"
      "    attachable: true\n"
      "    internal: true\n"
      "    enable_ipv6: true\n"
      "    labels: {team: shop}\n"
      "    driver_opts: {com.docker.network.driver.mtu: 1400}\n"
      "    ipam:\n"
      "      config:\n"
      "        - {subnet: 10.5.0.0/24, gateway: 10.5.0.254}\n"
      "        - subnet: fd00:5::/64\n");
  ASSERT_EQ(stack.networks_size(), 1);
  const auto& front = stack.networks(0).spec();
  EXPECT_TRUE(front.internal());
  EXPECT_TRUE(front.enable_ipv6());
  EXPECT_EQ(front.labels().at("team"), "shop");
  EXPECT_EQ(front.mtu(), 1400u);
  EXPECT_EQ(front.subnet(), "10.5.0.0/24");
  EXPECT_EQ(front.gateway(), "10.5.0.254");
  EXPECT_EQ(front.subnet6(), "fd00:5::/64");
  EXPECT_EQ(stack.services(0).spec().endpoint_mode(), v1::TASK_ADDRESSES);
  EXPECT_EQ(stack.services(1).spec().endpoint_mode(), v1::VIRTUAL_ADDRESS);
  EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString()) << "written and read again";
}

TEST(NetworkLoader, ANetworkOfAnotherStack) {
  const auto stack = loaded(
      "services:\n"
      "  web: {image: a, networks: {default: , shared_db: {aliases: [app]}}}\n"
      "networks:\n"
      "  shared_db: {external: true, name: data/back}\n");
  ASSERT_EQ(stack.networks_size(), 1);
  EXPECT_EQ(stack.networks(0).name(), "default");
  const auto& joined = stack.services(0).spec().container().networks();
  ASSERT_EQ(joined.size(), 2);
  EXPECT_EQ(joined[1].network(), "data/back");
  EXPECT_EQ(joined[1].aliases(0), "app");
  EXPECT_THAT(render("shop", stack), AllOf(HasSubstr("      data_back:\n        aliases:\n"),
                                           HasSubstr("  data_back:\n    external: true\n    name: data/back\n")));
  EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString()) << "written and read again";
}

TEST(NetworkLoader, TheDefaultMayBeAnotherStacks) {
  const auto stack = loaded("services: {web: {image: a}}\nnetworks: {default: {external: true, name: data/back}}\n");
  EXPECT_EQ(stack.networks_size(), 0);
  ASSERT_EQ(stack.services(0).spec().container().networks_size(), 1);
  EXPECT_EQ(stack.services(0).spec().container().networks(0).network(), "data/back");
}

TEST(NetworkLoader, AJobJoinsAnotherStacksToo) {
  const auto stack = loaded(
      "networks: {db: {external: true, name: data/back}}\n"
      "x-orchion: {jobs: {dump: {image: a, networks: [db]}}}\n");
  ASSERT_EQ(stack.jobs_size(), 1);
  EXPECT_EQ(stack.jobs(0).spec().container().networks(0).network(), "data/back");
  EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString());
}

TEST(NetworkLoader, ANetworkOnTheNodesInterface) {
  const auto stack = loaded(
      "services: {cam: {image: a, networks: [lan]}}\n"
      "networks:\n"
      "  lan:\n"
      "    driver: macvlan\n"
      "    driver_opts: {parent: eth0.20, macvlan_mode: bridge}\n"
      "    ipam: {config: [{subnet: 192.168.1.0/24, gateway: 192.168.1.1, ip_range: 192.168.1.128/28}]}\n");
  const auto& lan = stack.networks(0).spec();
  EXPECT_EQ(lan.driver(), v1::MACVLAN);
  EXPECT_EQ(lan.parent(), "eth0.20");
  EXPECT_EQ(lan.subnet(), "192.168.1.0/24");
  EXPECT_EQ(lan.gateway(), "192.168.1.1");
  EXPECT_EQ(lan.address_range(), "192.168.1.128/28");
  EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString()) << "written and read again";
}

TEST(NetworkLoader, MistakesHaveTheirPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"{driver: ipvlan}", "2:24: the driver `ipvlan` isn't supported"},
      {"{driver: macvlan}", "2:24: a macvlan network needs the nodes' interface that it is on"},
      {"{driver: macvlan}", "2:24: a macvlan network needs the subnet of the network behind its parent"},
      {"{driver: macvlan, driver_opts: {parent: 'eth 0'}}", "\"eth 0\" is no interface: write it like eth0"},
      {"{driver: macvlan, driver_opts: {macvlan_mode: vepa}}", "the macvlan mode `vepa` isn't supported"},
      {"{driver: macvlan, internal: true}", "can't be kept with the driver MACVLAN"},
      {"{driver: macvlan, enable_ipv6: true}", "can't be on with the driver MACVLAN"},
      {"{driver_opts: {parent: eth0}}", "means something with the driver MACVLAN only"},
      {"{ipam: {config: [{subnet: 10.0.0.0/24, ip_range: 10.0.1.0/25}]}}", "10.0.1.0/25 isn't part of the subnet"},
      {"{ipam: {config: [{ip_range: 10.0.1.0/25}]}}", "10.0.1.0/25 is part of a subnet: say which in `subnet` too"},
      {"{enable_ipv4: false}", "`enable_ipv4: false` isn't supported"},
      {"{driver_opts: {encrypted: ''}}", "`encrypted` isn't supported: remove it"},
      {"{driver_opts: {com.docker.network.driver.mtu: 500}}",
       "`com.docker.network.driver.mtu` must be a whole number from 576 to 65535"},
      {"{enable_ipv6: true, driver_opts: {com.docker.network.driver.mtu: 1279}}", "from 1280 to 65535"},
      {"{ipam: {config: [{subnet: 127.0.0.0/8}]}}", "2:41: 127.0.0.0/8 overlaps 127.0.0.0/8, which is the loopback"},
      {"{ipam: {config: [{subnet: 10.0.0.0/24}, {subnet: 10.1.0.0/24}]}}", "a second subnet of IPv4 isn't supported"},
      {"{ipam: {config: [{subnet: 'fd00:1::/64'}]}}", "fd00:1::/64 is for a network with IPv6"},
      {"{enable_ipv6: true, ipam: {config: [{subnet: 'fd00:1::/64', gateway: 'fd00:1::1'}]}}",
       "a gateway of IPv6 isn't supported"},
      {"{ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.1.1}]}}", "10.0.1.1 isn't in the subnet 10.0.0.0/24"},
      {"{ipam: {config: [{gateway: 10.0.1.1}]}}", "say which in `subnet` too"},
      {"{external: true, name: data_back}",
       "`data_back` doesn't say whose network it is: write `name: STACK/NETWORK`, "
       "such as `data/back`"},
      {"{external: {name: data_back}}", "`external` must be"},
      {"{external: true, name: Data/back}", "`Data/back` doesn't say"},
      {"{external: true, name: data/back, internal: true}", "`internal` means nothing beside `external: true`"},
  };
  for (const auto& [networks, sentence] : cases) EXPECT_THAT(error_in(networks), HasSubstr(sentence)) << networks;
}

}  // namespace
}  // namespace orchion::spec
