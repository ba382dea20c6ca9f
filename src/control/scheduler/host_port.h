#pragma once

#include <cstdint>
#include <string>

namespace orchion::v1 {
class PortMapping;
}

namespace orchion::control::scheduler {

// A port of a host as one comparable value. Ports on every address collide with those on any; tasks of one owner share
// theirs, since a node spreads a published port's connections over the tasks behind it.
struct HostPort {
  std::uint32_t port_and_protocol = 0;  // port << 1 | udp
  std::uint64_t address = 0;            // 0: every address; else a hash of its text
  std::uint64_t owner = 0;              // of the service, see owner_of(); 0: shared with nobody

  static HostPort of(const v1::PortMapping& mapping, std::uint64_t owner = 0);
  static std::uint64_t owner_of(const std::string& stack, const std::string& service);
  bool collides(const HostPort& other) const {
    return port_and_protocol == other.port_and_protocol && (owner == 0 || owner != other.owner) &&
           (address == other.address || address == 0 || other.address == 0);
  }
  std::string text() const;  // "8080/tcp"

  bool operator==(const HostPort&) const = default;
};

}  // namespace orchion::control::scheduler
