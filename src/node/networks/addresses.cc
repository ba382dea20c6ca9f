#include "node/networks/addresses.h"

#include <arpa/inet.h>

#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace orchion::node::networks {
namespace {

std::uint32_t mask_of(int prefix_length) {
  return prefix_length == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix_length);
}

}  // namespace

bool Subnet::contains(Ipv4 address) const {
  return (address.value & mask_of(prefix_length)) == base.value;
}

Ipv4 Subnet::broadcast() const {
  return {base.value | ~mask_of(prefix_length)};
}

base::Result<Ipv4> parse_ipv4(std::string_view text) {
  in_addr parsed{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &parsed) != 1) {
    return base::fail(base::Code::kInvalidArgument, "\"" + std::string(text) + "\" is not an IPv4 address");
  }
  return Ipv4{ntohl(parsed.s_addr)};
}

std::string to_string(Ipv4 address) {
  const in_addr raw{htonl(address.value)};
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &raw, text, sizeof(text));
  return text;
}

base::Result<Subnet> parse_subnet(std::string_view text) {
  const auto slash = text.find('/');
  int length = -1;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc() || end != digits.data() + digits.size()) length = -1;
  }
  if (length < 8 || length > 30) {
    return base::fail(base::Code::kInvalidArgument,
                      "\"" + std::string(text) + "\" is not a subnet: write it as 10.192.0.0/20, with /8 to /30");
  }
  ASSIGN_OR_RETURN(const Ipv4 address, parse_ipv4(text.substr(0, slash)));
  return Subnet{{address.value & mask_of(length)}, length};
}

base::Result<Ipv6> parse_ipv6(std::string_view text) {
  Ipv6 parsed;
  if (inet_pton(AF_INET6, std::string(text).c_str(), parsed.bytes.data()) != 1) {
    return base::fail(base::Code::kInvalidArgument, "\"" + std::string(text) + "\" is not an IPv6 address");
  }
  return parsed;
}

std::string to_string(const Ipv6& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, address.bytes.data(), text, sizeof(text));
  return text;
}

Ipv6 link_local_of(Ipv4 address) {
  Ipv6 out;
  out.bytes[0] = 0xfe;
  out.bytes[1] = 0x80;
  for (std::size_t i = 0; i < 4; ++i) out.bytes[12 + i] = static_cast<std::uint8_t>(address.value >> (24 - 8 * i));
  return out;
}

Mac mac_of(Ipv4 address) {
  const auto byte = [&](int shift) { return static_cast<std::uint8_t>(address.value >> shift); };
  return {0x02, 0x6f, byte(24), byte(16), byte(8), byte(0)};
}

std::string to_string(const Mac& mac) {
  return fmt::format("{:02x}", fmt::join(mac, ":"));
}

}  // namespace orchion::node::networks
