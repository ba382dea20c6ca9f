#include "core/subnet6.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

namespace orchion::core {

namespace {

// The address with nothing set behind the prefix.
Ipv6 masked(Ipv6 address, int prefix) {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(prefix - 8 * i, 0, 8);
    address[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff << (8 - kept));
  }
  return address;
}

// Decimal, without a leading zero.
std::optional<int> parse_prefix(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value < 0 || value > 128 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Ipv6> parse_ipv6(std::string_view text) {
  Ipv6 address;
  // Neither longer than any that is one, nor with a NUL that would hide what follows.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  if (inet_pton(AF_INET6, std::string(text).c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

std::string format_ipv6(const Ipv6& address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, address.data(), text, sizeof(text));
}

Ipv6 Subnet6::of(std::uint32_t ipv4) const {
  Ipv6 address = base;
  for (std::size_t i = 0; i < 4; ++i) address[12 + i] = static_cast<std::uint8_t>(ipv4 >> (24 - 8 * i));
  return address;
}

bool Subnet6::contains(const Ipv6& address) const {
  return masked(address, prefix) == base;
}

std::string Subnet6::text() const {
  return fmt::format("{}/{}", format_ipv6(base), prefix);
}

base::Result<Subnet6> parse_subnet6(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ipv6(text.substr(0, slash));
  const auto prefix = slash == std::string_view::npos ? std::nullopt : parse_prefix(text.substr(slash + 1));
  if (!address || !prefix)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no IPv6 subnet: write it like fd12:3456:789a::/64", text));
  const Subnet6 whole{masked(*address, *prefix), *prefix};
  if (whole.base != *address)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is an address in a subnet: the subnet is {}", text, whole.text()));
  return whole;
}

}  // namespace orchion::core
