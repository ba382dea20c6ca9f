#include "core/ip_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "core/subnet.h"

namespace orchion::core {

namespace {

// The address with all bits behind the first `prefix` zero.
IpAddress masked(IpAddress address, int prefix) {
  for (int bit = prefix; bit < address.bits(); ++bit)
    address.bytes[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  return address;
}

std::optional<int> parse_prefix(std::string_view text, int most) {
  int prefix = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || prefix < 0 || prefix > most || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return prefix;
}

}  // namespace

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), out.data(), out.size());
  return out.data();
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  IpAddress address;
  if (const auto v4 = parse_ipv4(text)) {
    for (std::size_t i = 0; i < 4; ++i) address.bytes[i] = static_cast<std::uint8_t>(*v4 >> (24 - 8 * i));
    return address;
  }
  address.v6 = true;
  if (inet_pton(AF_INET6, std::string(text).c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

bool IpRange::contains(const IpAddress& address) const {
  return address.v6 == base.v6 && masked(address, prefix) == base;
}

std::string IpRange::text() const {
  return fmt::format("{}/{}", base.text(), prefix);
}

base::Result<IpRange> parse_ip_range(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip_address(text.substr(0, slash));
  const auto prefix = !address                          ? std::nullopt
                      : slash == std::string_view::npos ? std::optional(address->bits())
                                                        : parse_prefix(text.substr(slash + 1), address->bits());
  if (!prefix)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no range of addresses: write it like 10.0.0.0/8 or fd00::/8", text));
  const IpRange range{masked(*address, *prefix), *prefix};
  if (range.base != *address)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is an address in a range: the range is {}", text, range.text()));
  return range;
}

}  // namespace orchion::core
