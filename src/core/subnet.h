#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

// IPv4 in host byte order.
std::optional<std::uint32_t> parse_ipv4(std::string_view text);
std::string format_ipv4(std::uint32_t address);

// An IPv4 network.
struct Subnet {
  std::uint32_t base = 0;
  int prefix = 32;

  std::uint32_t size_mask() const { return prefix == 0 ? UINT32_MAX : (std::uint32_t{1} << (32 - prefix)) - 1; }
  std::uint32_t last() const { return base | size_mask(); }  // the broadcast address
  std::uint32_t gateway() const { return base + 1; }
  bool contains(std::uint32_t address) const { return (address & ~size_mask()) == base; }
  bool overlaps(const Subnet& other) const { return contains(other.base) || other.contains(base); }
  std::string text() const;  // "10.192.0.0/20"

  bool operator==(const Subnet&) const = default;
};

// kInvalidArgument where it isn't ADDRESS/PREFIX with nothing set behind the prefix.
base::Result<Subnet> parse_subnet(std::string_view text);

}  // namespace orchion::core
