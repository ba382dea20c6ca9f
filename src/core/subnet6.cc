#include "core/subnet6.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>
#include <boost/asio/ip/address_v6.hpp>

namespace orchion::core {

namespace {

// The address with all bits behind the prefix cleared.
Ipv6 masked(Ipv6 address, int prefix) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    const int bits = std::min(std::max(prefix - static_cast<int>(i) * 8, 0), 8);
    address[i] &= static_cast<std::uint8_t>(0xff00u >> bits);
  }
  return address;
}

std::optional<int> parse_prefix(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value < 0 || value > 128 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Ipv6> parse_ipv6(std::string_view text) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address_v6(std::string(text), error);
  if (error || text.find('%') != text.npos) return std::nullopt;
  return address.to_bytes();
}

std::string format_ipv6(const Ipv6& address) {
  return boost::asio::ip::address_v6(address).to_string();
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
  const auto prefix = slash == text.npos ? std::nullopt : parse_prefix(text.substr(slash + 1));
  if (!address || !prefix)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no IPv6 network: write it like fd00:12::/64", text));
  const Subnet6 subnet{masked(*address, *prefix), *prefix};
  if (subnet.base != *address)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" has bits set behind its prefix: write {}", text, subnet.text()));
  return subnet;
}

}  // namespace orchion::core
