#pragma once

// Where other machines reach this server, from what it was told. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "wire/host_port.h"

namespace orchion::daemon {

inline constexpr std::uint16_t kNodePort = 4603;

struct NodeDoor {
  std::string listen;    // "192.168.1.5:4603"; empty: there is no door
  std::string address;   // what machines that join are told; empty: others can't reach it
  std::string underlay;  // IPv4, for networks between nodes; empty: none
  std::string advice;    // what to type so that there is a door
};

// `advertise` is HOST or HOST:PORT, `nodes` ADDRESS:PORT to listen on, both perhaps empty; `own_address` is the address
// of the default route. kInvalidArgument where one is no such thing.
base::Result<NodeDoor> plan_node_door(const std::string& advertise, const std::string& nodes,
                                      const std::optional<std::string>& own_address);

// "host", "host:4603", "[::1]:4603"; kInvalidArgument names the text.
base::Result<wire::HostPort> parse_node_address(std::string_view text, std::uint16_t default_port);

}  // namespace orchion::daemon
