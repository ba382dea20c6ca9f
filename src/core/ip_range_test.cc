#include "core/ip_range.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(IpRange, IsReadStrictly) {
  EXPECT_EQ(parse_ip_range("10.0.0.0/8")->text(), "10.0.0.0/8");
  EXPECT_EQ(parse_ip_range("10.1.2.3")->text(), "10.1.2.3/32");
  EXPECT_EQ(parse_ip_range("fd00::/8")->text(), "fd00::/8");
  EXPECT_EQ(parse_ip_range("2001:DB8:0::1")->text(), "2001:db8::1/128");
  EXPECT_EQ(parse_ip_range("0.0.0.0/0")->text(), "0.0.0.0/0");
  EXPECT_EQ(parse_ip_range("::/0")->text(), "::/0");
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10.0.0.0/08", "10.0.0.0/8x", "fd00::/129",
                          "fe80::1%eth0", "[::1]", "01.2.3.4", "10.0.0.0/-1"})
    EXPECT_FALSE(parse_ip_range(bad)) << bad;
  EXPECT_EQ(parse_ip_range("10.1.0.0/8").error().message,
            "\"10.1.0.0/8\" is an address in a range: the range is 10.0.0.0/8");
}

TEST(IpRange, HoldsItsOwnKindAlone) {
  const auto ten = *parse_ip_range("10.16.0.0/12");
  EXPECT_TRUE(ten.contains(*parse_ip_address("10.31.255.255")));
  EXPECT_FALSE(ten.contains(*parse_ip_address("10.32.0.0")));
  EXPECT_FALSE(parse_ip_range("0.0.0.0/0")->contains(*parse_ip_address("::1")));
  EXPECT_FALSE(parse_ip_range("::/0")->contains(*parse_ip_address("10.0.0.1")));
  EXPECT_TRUE(parse_ip_range("fd00::/8")->contains(*parse_ip_address("fdff::1")));
  EXPECT_TRUE(ten.contains(*parse_ip_range("10.16.0.0/16")));
  EXPECT_FALSE(parse_ip_range("10.16.0.0/16")->contains(ten));
  EXPECT_TRUE(parse_ip_range("10.16.0.0/16")->overlaps(ten));
  EXPECT_FALSE(parse_ip_range("10.32.0.0/16")->overlaps(ten));
}

}  // namespace
}  // namespace orchion::core
