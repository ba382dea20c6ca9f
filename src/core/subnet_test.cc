#include "core/subnet.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(Subnet, Addresses) {
  EXPECT_EQ(parse_ipv4("10.192.0.1"), 0x0ac00001u);
  EXPECT_EQ(format_ipv4(0x0ac00001u), "10.192.0.1");
  EXPECT_EQ(parse_ipv4("255.255.255.255"), 0xffffffffu);
  for (const char* bad : {"", "10", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.1.", "10.0.0.1 ", "::1", "-1.0.0.0"})
    EXPECT_FALSE(parse_ipv4(bad)) << bad;
}

TEST(Subnet, ParsesWhatIsWhole) {
  auto subnet = parse_subnet("10.192.16.0/20");
  ASSERT_TRUE(subnet);
  EXPECT_EQ(subnet->text(), "10.192.16.0/20");
  EXPECT_EQ(format_ipv4(subnet->gateway()), "10.192.16.1");
  EXPECT_EQ(format_ipv4(subnet->last()), "10.192.31.255");
  EXPECT_TRUE(parse_subnet("0.0.0.0/0")->contains(0xffffffffu));
  EXPECT_EQ(parse_subnet("10.0.0.7/32")->last(), *parse_ipv4("10.0.0.7"));
}

TEST(Subnet, SaysWhatIsWrong) {
  for (const char* bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8x", "x/8", "10.0.0.0/08"})
    EXPECT_FALSE(parse_subnet(bad)) << bad;
  auto inside = parse_subnet("10.1.2.3/16");
  ASSERT_FALSE(inside);
  EXPECT_NE(inside.error().message.find("10.1.0.0/16"), std::string::npos);
}

TEST(Subnet, Overlaps) {
  const auto wide = *parse_subnet("10.0.0.0/8"), narrow = *parse_subnet("10.5.0.0/16"),
             other = *parse_subnet("10.6.0.0/16");
  EXPECT_TRUE(wide.overlaps(narrow));
  EXPECT_TRUE(narrow.overlaps(wide));
  EXPECT_FALSE(narrow.overlaps(other));
  EXPECT_TRUE(other.overlaps(other));
}

}  // namespace
}  // namespace orchion::core
