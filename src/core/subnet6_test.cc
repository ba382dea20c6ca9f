#include "core/subnet6.h"

#include <gtest/gtest.h>

#include "core/subnet.h"

namespace orchion::core {
namespace {

TEST(Subnet6, AddressesAreWrittenInOneWay) {
  const auto again = [](const char* text) {
    const auto address = parse_ipv6(text);
    return address ? format_ipv6(*address) : "none";
  };
  EXPECT_EQ(again("FD00:0:0:1:0:0:0:2"), "fd00:0:0:1::2") << "the longest run of zeroes";
  EXPECT_EQ(again("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1") << "one zero is no run";
  EXPECT_EQ(again("::"), "::");
  EXPECT_EQ(again("fd00::10.192.0.2"), "fd00::ac0:2");
  const std::string hidden("::1\0x", 5);
  EXPECT_FALSE(parse_ipv6(hidden));
  EXPECT_FALSE(parse_ipv6(std::string(100'000, ':')));
  for (const char* bad : {"", "fd00", "fd00:::1", "1::2::3", "fe80::1%eth0", "10.0.0.1", "::12345", " ::1", "[::1]"})
    EXPECT_FALSE(parse_ipv6(bad)) << bad;
}

TEST(Subnet6, ParsesWhatIsWhole) {
  const auto subnet = parse_subnet6("FD12:3456:789A:0::/64");
  ASSERT_TRUE(subnet);
  EXPECT_EQ(subnet->text(), "fd12:3456:789a::/64");
  EXPECT_TRUE(subnet->contains(*parse_ipv6("fd12:3456:789a:0:ffff::1")));
  EXPECT_FALSE(subnet->contains(*parse_ipv6("fd12:3456:789a:1::1")));
  EXPECT_EQ(parse_subnet6("fd00::/9")->text(), "fd00::/9") << "a prefix that ends inside a byte";
  EXPECT_TRUE(parse_subnet6("::/0")->contains(*parse_ipv6("ffff::")));
  EXPECT_TRUE(parse_subnet6("fd00::7/128")->contains(*parse_ipv6("fd00::7")));
}

TEST(Subnet6, SaysWhatIsWrong) {
  for (const char* bad : {"", "fd00::", "fd00::/", "fd00::/129", "fd00::/64x", "x/64", "fd00::/064", "10.0.0.0/8"})
    EXPECT_FALSE(parse_subnet6(bad)) << bad;
  const auto inside = parse_subnet6("fd00::1:0:0:0:1/64");
  ASSERT_FALSE(inside);
  EXPECT_NE(inside.error().message.find("the subnet is fd00:0:0:1::/64"), std::string::npos) << inside.error().message;
  EXPECT_FALSE(parse_subnet6("fd80::/8")) << "bits behind a prefix that ends inside a byte";
}

TEST(Subnet6, AnIpv4AddressStandsInTheLastBits) {
  const auto subnet = *parse_subnet6("fd12:3456:789a:2::/64");
  EXPECT_EQ(format_ipv6(subnet.of(*parse_ipv4("10.192.0.2"))), "fd12:3456:789a:2::ac0:2");
  EXPECT_EQ(format_ipv6(subnet.gateway6(*parse_ipv4("10.192.0.1"))), "fd12:3456:789a:2::ac0:1");
  EXPECT_EQ(format_ipv6(parse_subnet6("fd00:0:0:0:1:2::/96")->of(0xffffffff)), "fd00::1:2:ffff:ffff");
}

TEST(Subnet6, Overlaps) {
  const auto wide = *parse_subnet6("fd00::/16"), narrow = *parse_subnet6("fd00:5::/32"),
             other = *parse_subnet6("fd00:6::/32");
  EXPECT_TRUE(wide.overlaps(narrow));
  EXPECT_TRUE(narrow.overlaps(wide));
  EXPECT_FALSE(narrow.overlaps(other));
}

}  // namespace
}  // namespace orchion::core
