#pragma once

// Addresses and ranges of them, of IPv4 and IPv6.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // in the network's order; of IPv4 the first four

  int bits() const { return v6 ? 128 : 32; }
  std::string text() const;

  auto operator<=>(const IpAddress&) const = default;
};

// nullopt where it is neither "10.1.2.3" nor "fd00::1". No zones, no brackets.
std::optional<IpAddress> parse_ip_address(std::string_view text);

// All addresses that begin with the first `prefix` bits of `base`, whose other bits are zero.
struct IpRange {
  IpAddress base;
  int prefix = 32;

  bool contains(const IpAddress& address) const;
  bool contains(const IpRange& other) const { return other.prefix >= prefix && contains(other.base); }
  bool overlaps(const IpRange& other) const { return contains(other) || other.contains(*this); }
  std::string text() const;  // "10.0.0.0/8", of one address "10.1.2.3/32"

  auto operator<=>(const IpRange&) const = default;
};

// "10.0.0.0/8", "fd00::/8", or one address. kInvalidArgument says what is wrong with it.
base::Result<IpRange> parse_ip_range(std::string_view text);

}  // namespace orchion::core
