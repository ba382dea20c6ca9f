#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// "[HOST_IP:][HOST[-HOST]:]PORT[-PORT][/tcp|udp]", as Compose's short syntax; a range becomes a mapping a port.
// kInvalidArgument without a place.
base::Result<std::vector<v1::PortMapping>> parse_ports(std::string_view text);

// The same from the fields of the long syntax; `published` and `host_ip` may be empty.
struct LongPort {
  std::string target;
  std::string published;
  std::string host_ip;
  std::string protocol = "tcp";
};
base::Result<std::vector<v1::PortMapping>> expand_port(const LongPort& port);

}  // namespace orchion::spec
