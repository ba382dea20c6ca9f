#pragma once

// Addresses and subnets as numbers. Pure.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::node::networks {

struct Ipv4 {
  std::uint32_t value = 0;  // host byte order

  auto operator<=>(const Ipv4&) const = default;
};

struct Subnet {
  Ipv4 base;
  int prefix_length = 0;

  bool contains(Ipv4 address) const;
  Ipv4 broadcast() const;
};

base::Result<Ipv4> parse_ipv4(std::string_view text);
std::string to_string(Ipv4 address);

// "10.192.0.0/20"; /8 to /30.
base::Result<Subnet> parse_subnet(std::string_view text);

// In network order.
struct Ipv6 {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Ipv6&) const = default;
};

base::Result<Ipv6> parse_ipv6(std::string_view text);
std::string to_string(const Ipv6& address);

// fe80:: with the IPv4 address in its last four bytes.
Ipv6 link_local_of(Ipv4 address);

using Mac = std::array<std::uint8_t, 6>;

// A link's hardware address made from its IPv4 address: who gets an address again gets the same hardware address,
// and no neighbour's cache is stale.
Mac mac_of(Ipv4 address);
std::string to_string(const Mac& mac);  // "02:6f:0a:00:00:01"

}  // namespace orchion::node::networks
