#include "daemon/node_door.h"

#include <charconv>

#include <arpa/inet.h>
#include <fmt/core.h>

namespace orchion::daemon {

namespace {

bool is_ipv4(const std::string& host) {
  in_addr parsed{};
  return ::inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_any(const std::string& host) {
  return host == "0.0.0.0" || host == "::";
}

std::string advice_for(const std::optional<std::string>& own_address) {
  return fmt::format("on its machine, `orchion server --stop`, then `orchion server --background --advertise {}`",
                     own_address.value_or("ADDRESS"));
}

}  // namespace

base::Result<HostAndPort> parse_host_and_port(std::string_view text, std::uint16_t default_port) {
  HostAndPort out{std::string(text), default_port};
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && (text.find(':') == colon || text[colon - 1] == ']');
  bool good = true;
  if (has_port) {
    const auto digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    good = error == std::errc() && end == digits.data() + digits.size() && out.port != 0;
    out.host = text.substr(0, colon);
  }
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  if (good && !out.host.empty() && out.host.find_first_of("/ []") == std::string::npos) return out;
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("'{}' is no address: write HOST:PORT, as in 192.168.1.5:{}", text, kNodePort));
}

std::string to_text(const HostAndPort& address) {
  return fmt::format(fmt::runtime(address.host.find(':') == std::string::npos ? "{}:{}" : "[{}]:{}"), address.host,
                     address.port);
}

base::Result<NodeDoor> plan_node_door(const std::string& advertise, const std::string& nodes,
                                      const std::optional<std::string>& own_address) {
  NodeDoor door;
  door.advice = advice_for(own_address);
  if (advertise.empty() && nodes.empty()) return door;
  HostAndPort listen{"", kNodePort};
  if (!nodes.empty()) {
    ASSIGN_OR_RETURN(listen, parse_host_and_port(nodes, kNodePort));
  }
  HostAndPort address = listen;
  if (!advertise.empty()) {
    ASSIGN_OR_RETURN(address, parse_host_and_port(advertise, listen.port));
  }
  if (is_any(address.host)) address.host = own_address.value_or("");
  if (nodes.empty()) listen = address;
  if (listen.host.empty())
    return base::fail(base::Code::kInvalidArgument,
                      "this machine has no default route: name the address that others reach it by with --advertise");
  door.listen = to_text(listen);
  if (address.host.empty() || is_loopback(address.host)) return door;
  door.address = to_text(address);
  door.underlay = is_ipv4(address.host) ? address.host : own_address.value_or("");
  return door;
}

}  // namespace orchion::daemon
