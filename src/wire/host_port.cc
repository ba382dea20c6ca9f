#include "wire/host_port.h"

#include <charconv>

#include <fmt/core.h>

namespace orchion::wire {

std::optional<HostPort> parse_host_port(std::string_view text, std::optional<std::uint16_t> default_port) {
  HostPort out{"", default_port.value_or(0)};
  const auto colon = text.rfind(':');
  // An IPv6 address has colons of its own: outside of brackets there is no port after it.
  const bool has_port =
      colon != std::string_view::npos && (text.find(':') == colon || text.substr(0, colon).ends_with(']'));
  if (!has_port && !default_port) return std::nullopt;
  auto host = has_port ? text.substr(0, colon) : text;
  if (has_port) {
    const auto digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of("/ []") != std::string_view::npos) return std::nullopt;
  out.host = host;
  return out;
}

std::string to_string(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

}  // namespace orchion::wire
