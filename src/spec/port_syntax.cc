#include "spec/port_syntax.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include "spec/values.h"

namespace orchion::spec {

namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr std::uint32_t kRangeMax = 1000;

struct Range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t size() const { return last - first + 1; }
};

std::optional<std::uint32_t> parse_port_number(std::string_view text) {
  const auto value = parse_integer(text);
  if (!value || *value < 1 || *value > 65535) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

Result<Range> parse_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_port_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port_number(text.substr(dash + 1));
  if (!first || !last || *first > *last)
    return fail(Code::kInvalidArgument,
                fmt::format("`{}` isn't a port: write a number from 1 to 65535, or FIRST-LAST", text));
  if (*last - *first >= kRangeMax)
    return fail(Code::kInvalidArgument, fmt::format("`{}` is more than {} ports: publish fewer", text, kRangeMax));
  return Range{*first, *last};
}

bool is_address(const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

// "127.0.0.1:80" or "[::1]:80" before the container's port, taken apart.
Result<> split_host(std::string_view host, LongPort& port) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos) {
    port.published = host;
    return {};
  }
  port.published = host.substr(colon + 1);
  auto address = host.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  port.host_ip = address;
  return {};
}

}  // namespace

Result<std::vector<v1::PortMapping>> expand_port(const LongPort& port) {
  if (port.protocol != "tcp" && port.protocol != "udp")
    return fail(Code::kInvalidArgument,
                fmt::format("the protocol `{}` isn't supported: use tcp or udp", port.protocol));
  if (!port.host_ip.empty() && !is_address(port.host_ip))
    return fail(Code::kInvalidArgument,
                fmt::format("`{}` isn't an IP address: write one as 127.0.0.1 or [::1]", port.host_ip));
  ASSIGN_OR_RETURN(const auto target, parse_range(port.target));
  Range published;
  if (!port.published.empty() && port.published != "0") {
    ASSIGN_OR_RETURN(published, parse_range(port.published));
    if (published.size() != target.size())
      return fail(Code::kInvalidArgument,
                  fmt::format("{} host ports can't lead to {} container ports: name as many of each", published.size(),
                              target.size()));
  }
  std::vector<v1::PortMapping> mappings;
  for (std::uint32_t i = 0; i < target.size(); ++i) {
    auto& mapping = mappings.emplace_back();
    mapping.set_host_ip(port.host_ip);
    mapping.set_host_port(published.first == 0 ? 0 : published.first + i);
    mapping.set_container_port(target.first + i);
    mapping.set_protocol(port.protocol);
  }
  return mappings;
}

Result<std::vector<v1::PortMapping>> parse_ports(std::string_view text) {
  LongPort port;
  auto rest = text;
  if (const auto slash = rest.rfind('/'); slash != std::string_view::npos) {
    port.protocol = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
  }
  const auto colon = rest.rfind(':');
  if (colon != std::string_view::npos) RETURN_IF_ERROR(split_host(rest.substr(0, colon), port));
  port.target = colon == std::string_view::npos ? rest : rest.substr(colon + 1);
  return expand_port(port);
}

}  // namespace orchion::spec
