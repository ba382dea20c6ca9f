#include "core/subnet.h"

#include <charconv>

#include <fmt/core.h>

namespace orchion::core {

namespace {

// Decimal digits without a leading zero (which some programs read as octal), up to `max`, taken off the front.
std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t max) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || value > max || (length > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

}  // namespace

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
    const auto number = take_number(text, 255);
    if (!number) return std::nullopt;
    address = address << 8 | *number;
  }
  if (!text.empty()) return std::nullopt;
  return address;
}

std::string format_ipv4(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

std::string Subnet::text() const {
  return fmt::format("{}/{}", format_ipv4(base), prefix);
}

base::Result<Subnet> parse_subnet(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ipv4(text.substr(0, slash));
  std::string_view rest = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  const auto prefix = take_number(rest, 32);
  if (!address || !prefix || !rest.empty())
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no IPv4 subnet: write it like 10.20.0.0/16", text));
  const Subnet subnet{*address, static_cast<int>(*prefix)};
  const Subnet whole{*address & ~subnet.size_mask(), subnet.prefix};
  if (!(subnet == whole))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is an address in a subnet: the subnet is {}", text, whole.text()));
  return subnet;
}

}  // namespace orchion::core
