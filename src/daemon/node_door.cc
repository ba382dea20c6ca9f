#include "daemon/node_door.h"

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

base::Result<wire::HostPort> parse_node_address(std::string_view text, std::uint16_t default_port) {
  if (auto address = wire::parse_host_port(text, default_port); address && address->port != 0)
    return *std::move(address);
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("'{}' is no address: write HOST:PORT, as in 192.168.1.5:{}", text, kNodePort));
}

base::Result<NodeDoor> plan_node_door(const std::string& advertise, const std::string& nodes,
                                      const std::optional<std::string>& own_address) {
  NodeDoor door;
  door.advice = advice_for(own_address);
  if (advertise.empty() && nodes.empty()) return door;
  wire::HostPort listen{"", kNodePort};
  if (!nodes.empty()) {
    ASSIGN_OR_RETURN(listen, parse_node_address(nodes, kNodePort));
  }
  wire::HostPort address = listen;
  if (!advertise.empty()) {
    ASSIGN_OR_RETURN(address, parse_node_address(advertise, listen.port));
  }
  if (is_any(address.host)) address.host = own_address.value_or("");
  if (nodes.empty()) listen = address;
  if (listen.host.empty())
    return base::fail(base::Code::kInvalidArgument,
                      "this machine has no default route: name the address that others reach it by with --advertise");
  door.listen = to_string(listen);
  if (address.host.empty() || is_loopback(address.host)) return door;
  door.address = to_string(address);
  door.underlay = is_ipv4(address.host) ? address.host : own_address.value_or("");
  return door;
}

}  // namespace orchion::daemon
