#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orchion::wire {

struct HostPort {
  std::string host;  // an IPv6 address without its brackets
  std::uint16_t port = 0;
};

// "HOST:PORT", "[::1]:80"; where there is a default port HOST alone too. nullopt where it is neither.
std::optional<HostPort> parse_host_port(std::string_view text,
                                        std::optional<std::uint16_t> default_port = std::nullopt);

// As parse_host_port() reads it.
std::string to_string(const HostPort& address);

}  // namespace orchion::wire
