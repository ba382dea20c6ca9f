#include "core/network_validation.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/network_names.h"
#include "core/subnet6.h"

namespace orchion::core {
namespace {

using testing::HasSubstr;

struct Case {
  const char* pointer;  // "": it is good
  const char* text;
  std::function<void(v1::NetworkSpec&)> edit;
};

const Case kCases[] = {
    {"", "", [](auto&) {}},
    {"", "", [](auto& n) { n.set_subnet("11.0.0.0/8"); }},
    {"", "", [](auto& n) { n.set_subnet("192.168.7.0/30"); }},
    {"/subnet", "is no IPv4 subnet", [](auto& n) { n.set_subnet("fd00::/64"); }},
    {"/subnet", "between /8 and /30", [](auto& n) { n.set_subnet("10.0.0.0/31"); }},
    {"/subnet", "between /8 and /30", [](auto& n) { n.set_subnet("16.0.0.0/7"); }},
    {"/subnet", "127.0.0.0/8, which is the loopback", [](auto& n) { n.set_subnet("127.1.0.0/16"); }},
    {"/subnet", "169.254.0.0/16", [](auto& n) { n.set_subnet("169.254.8.0/24"); }},
    {"/subnet", "10.255.0.0/16, which is the nodes' own", [](auto& n) { n.set_subnet("10.255.64.0/20"); }},
    {"/subnet", "224.0.0.0/3, which is multicast", [](auto& n) { n.set_subnet("239.1.0.0/16"); }},
    {"/gateway", "say which", [](auto& n) { n.set_gateway("10.0.0.1"); }},
    {"/gateway", "no IPv4 address", [](auto& n) { n.set_subnet("10.0.0.0/24"), n.set_gateway("fd00::1"); }},
    {"/gateway", "10.0.1.1 isn't in the subnet 10.0.0.0/24",
     [](auto& n) { n.set_subnet("10.0.0.0/24"), n.set_gateway("10.0.1.1"); }},
    {"/gateway", "nobody can have", [](auto& n) { n.set_subnet("10.0.0.0/24"), n.set_gateway("10.0.0.0"); }},
    {"/gateway", "nobody can have", [](auto& n) { n.set_subnet("10.0.0.0/24"), n.set_gateway("10.0.0.255"); }},
    {"", "", [](auto& n) { n.set_subnet("10.0.0.0/24"), n.set_gateway("10.0.0.254"); }},
    {"", "", [](auto& n) { n.set_enable_ipv6(true); }},
    {"", "", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("fd00:1:2:3::/64"); }},
    {"", "", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("2001:db8::/96"); }},
    {"/subnet6", "switch that on too", [](auto& n) { n.set_subnet6("fd00:1:2:3::/64"); }},
    {"/subnet6", "no IPv6 subnet", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("10.0.0.0/8"); }},
    {"/subnet6", "the subnet is fd00::/64", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("fd00::1/64"); }},
    {"/subnet6", "between /8 and /96", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("fd00::/112"); }},
    {"/subnet6", "fe80::/10, which is of single links",
     [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("fe80::/64"); }},
    {"/subnet6", "multicast", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("ff02::/64"); }},
    {"/subnet6", "IPv4's", [](auto& n) { n.set_enable_ipv6(true), n.set_subnet6("::ffff:0:0/96"); }},
    {"", "", [](auto& n) { n.set_mtu(576); }},
    {"", "", [](auto& n) { n.set_mtu(65535); }},
    {"/mtu", "576 to 65535", [](auto& n) { n.set_mtu(575); }},
    {"/mtu", "576 to 65535", [](auto& n) { n.set_mtu(65536); }},
    {"/mtu", "1280 to 65535 bytes, as IPv6 needs", [](auto& n) { n.set_enable_ipv6(true), n.set_mtu(1279); }},
    {"", "", [](auto& n) { n.set_enable_ipv6(true), n.set_mtu(1280); }},
    {"/labels", "without a name", [](auto& n) { (*n.mutable_labels())[""] = "x"; }},
};

TEST(NetworkValidation, EachMistakeHasItsPlaceAndItsSentence) {
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    v1::NetworkSpec spec;
    kCases[i].edit(spec);
    Violations found;
    check_network(spec, "", found);
    const std::string pointer = kCases[i].pointer;
    if (pointer.empty()) {
      EXPECT_TRUE(found.empty()) << "case " << i << ": " << found.front().detail;
      continue;
    }
    ASSERT_EQ(found.size(), 1u) << "case " << i;
    EXPECT_EQ(found[0].pointer, pointer) << "case " << i;
    EXPECT_THAT(found[0].detail, HasSubstr(kCases[i].text));
  }
}

TEST(NetworkValidation, SubnetsOfAStackLieApart) {
  v1::StackSpec stack;
  for (const auto* name : {"a", "b", "c"}) {
    auto& network = *stack.add_networks();
    network.set_name(name);
    network.mutable_spec()->set_enable_ipv6(true);
  }
  Violations found;
  check_networks(stack, found);
  EXPECT_TRUE(found.empty());
  stack.mutable_networks(0)->mutable_spec()->set_subnet6("fd00::/48");
  stack.mutable_networks(2)->mutable_spec()->set_subnet6("fd00:0:0:7::/64");
  check_networks(stack, found);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pointer, "/spec/networks/2/spec/subnet6");
  EXPECT_EQ(found[0].detail, "overlaps fd00::/48 of network a");
}

TEST(NetworkValidation, AnAttachmentNamesOneNetwork) {
  const auto faults = [](const std::string& network) {
    v1::NetworkAttachment attachment;
    attachment.set_network(network);
    attachment.add_aliases("cache.shop");
    Violations found;
    check_attachment(attachment, "", found);
    return found.size();
  };
  for (const auto* good : {"front", "shop/front"}) EXPECT_EQ(faults(good), 0u) << good;
  for (const auto* bad : {"/front", "shop/", "shop/front/x", "Shop/front", "a b/front"})
    EXPECT_EQ(faults(bad), 1u) << bad;
}

TEST(NetworkNames, AnAttachmentOfTheOwnStackIsShort) {
  EXPECT_EQ(network_of("shop", "front"), (NetworkName{"shop", "front"}));
  EXPECT_EQ(network_of("shop", "other/net"), (NetworkName{"other", "net"}));
  EXPECT_EQ(attachment_name("shop", {"shop", "front"}), "front");
  EXPECT_EQ(attachment_name("shop", {"other", "net"}), "other/net");

  v1::StackSpec stack;
  auto& container = *stack.add_services()->mutable_spec()->mutable_container();
  for (const auto* name : {"shop/front", "other/net", "back"}) container.add_networks()->set_network(name);
  shorten_own_networks("shop", stack);
  EXPECT_EQ(container.networks(0).network(), "front");
  EXPECT_EQ(container.networks(1).network(), "other/net");
  EXPECT_EQ(container.networks(2).network(), "back");
  EXPECT_TRUE(is_attached("shop", container, {"other", "net"}));
  EXPECT_FALSE(is_attached("shop", container, {"shop", "net"}));
  EXPECT_EQ(find_attachment("shop", container, {"shop", "back"}), &container.networks(2));
}

TEST(Subnet6, ReadsAndWrites) {
  const auto wide = parse_subnet6("fd00::/8"), narrow = parse_subnet6("fd00:12::/64");
  ASSERT_TRUE(wide && narrow);
  EXPECT_EQ(narrow->text(), "fd00:12::/64");
  EXPECT_TRUE(wide->overlaps(*narrow));
  EXPECT_TRUE(narrow->overlaps(*wide));
  EXPECT_FALSE(narrow->contains(*parse_ipv6("fd00:13::1")));
  EXPECT_TRUE(narrow->contains(*parse_ipv6("fd00:12::ffff:1")));
  for (const char* bad : {"", "fd00::", "fd00::/", "fd00::/129", "fd00::/064", "10.0.0.0/8", "fe80::1%lo/64"})
    EXPECT_FALSE(parse_subnet6(bad)) << bad;
}

}  // namespace
}  // namespace orchion::core
