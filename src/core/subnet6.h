#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

// IPv6 in network byte order. Without a zone; the text is that of RFC 5952.
using Ipv6 = std::array<std::uint8_t, 16>;
std::optional<Ipv6> parse_ipv6(std::string_view text);
std::string format_ipv6(const Ipv6& address);

// An IPv6 network.
struct Subnet6 {
  Ipv6 base{};
  int prefix = 128;

  // The longest prefix that leaves room for an IPv4 address behind it, as `of` needs.
  static constexpr int kPrefixMax = 96;

  // What goes with an IPv4 address: the base with it in the last 32 bits.
  Ipv6 of(std::uint32_t ipv4) const;
  Ipv6 gateway6(std::uint32_t gateway) const { return of(gateway); }
  bool contains(const Ipv6& address) const;
  bool overlaps(const Subnet6& other) const { return contains(other.base) || other.contains(base); }
  std::string text() const;  // "fd12:3456:789a::/64"

  bool operator==(const Subnet6&) const = default;
};

// kInvalidArgument where it isn't ADDRESS/PREFIX with nothing set behind the prefix.
base::Result<Subnet6> parse_subnet6(std::string_view text);

}  // namespace orchion::core
