#include "control/scheduler/host_port.h"

#include <functional>

#include <fmt/core.h>

#include "v1/specs.pb.h"

namespace orchion::control::scheduler {

std::uint64_t HostPort::owner_of(const std::string& stack, const std::string& service) {
  return std::hash<std::string>{}(stack + "/" + service) | 1;
}

HostPort HostPort::of(const v1::PortMapping& mapping, std::uint64_t owner) {
  HostPort port;
  port.owner = owner;
  port.port_and_protocol = mapping.host_port() << 1 | (mapping.protocol() == "udp" ? 1 : 0);
  const auto& ip = mapping.host_ip();
  if (!ip.empty() && ip != "0.0.0.0" && ip != "::") port.address = std::hash<std::string>{}(ip) | 1;
  return port;
}

std::string HostPort::text() const {
  return fmt::format("{}/{}", port_and_protocol >> 1, (port_and_protocol & 1) != 0 ? "udp" : "tcp");
}

}  // namespace orchion::control::scheduler
