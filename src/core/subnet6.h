#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

// In network byte order.
using Ipv6 = std::array<std::uint8_t, 16>;

// Without a zone ("%eth0").
std::optional<Ipv6> parse_ipv6(std::string_view text);
std::string format_ipv6(const Ipv6& address);

// An IPv6 network.
struct Subnet6 {
  Ipv6 base = {};
  int prefix = 128;

  bool contains(const Ipv6& address) const;
  bool overlaps(const Subnet6& other) const { return contains(other.base) || other.contains(base); }
  std::string text() const;  // "fd00:12::/64"

  bool operator==(const Subnet6&) const = default;
};

// kInvalidArgument where it isn't ADDRESS/PREFIX with nothing set behind the prefix.
base::Result<Subnet6> parse_subnet6(std::string_view text);

}  // namespace orchion::core
