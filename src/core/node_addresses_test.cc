#include "core/node_addresses.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

std::uint32_t at(const char* text) {
  return parse_ipv4(text).value();
}

TEST(NodeAddresses, TheLowestFreeOne) {
  EXPECT_EQ(free_host_address({}), at("10.255.0.1"));
  EXPECT_EQ(free_host_address({at("10.255.0.1"), at("10.255.0.3")}), at("10.255.0.2"));
}

TEST(NodeAddresses, TunnelsHaveTheSameNumber) {
  EXPECT_EQ(tunnel_address(at("10.255.0.1")), at("10.255.128.1"));
  EXPECT_EQ(tunnel_address(at("10.255.127.254")), at("10.255.255.254"));
}

TEST(NodeAddresses, LieWithinThePoolAndApart) {
  EXPECT_TRUE(kNetworkPool.contains(kNodeAddresses.base) && kNetworkPool.last() == kNodeAddresses.last());
  EXPECT_TRUE(kNodeAddresses.overlaps(kHostAddresses) && kNodeAddresses.overlaps(kTunnelAddresses));
  EXPECT_FALSE(kHostAddresses.overlaps(kTunnelAddresses));
}

TEST(NodeAddresses, SaysWhenThereIsNoneLeft) {
  std::set<std::uint32_t> all;
  for (std::uint32_t address = kHostAddresses.base + 1; address < kHostAddresses.last(); ++address) all.insert(address);
  const auto none = free_host_address(all);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("10.255.0.0/17"), std::string::npos);
  all.erase(at("10.255.3.7"));
  EXPECT_EQ(free_host_address(all), at("10.255.3.7"));
}

}  // namespace
}  // namespace orchion::core
