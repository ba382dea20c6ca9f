#pragma once

// The way to tasks on other machines: one VXLAN link per machine, a route to each such task by its machine, and for
// each machine where its frames go. Nothing is learned and nothing is flooded: who isn't named isn't reached.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/netlink.h"

namespace orchion::node::networks {

// VXLAN's, RFC 7348.
inline constexpr std::uint16_t kTunnelPort = 4789;

// What its headers take of each packet between the machines.
inline constexpr int kTunnelBytes = 50;

struct OverlayPlan {
  std::string name;
  std::uint32_t number = 0;  // the cluster's
  Ipv4 machine;              // this one's address for others
  std::optional<Ipv4> host;  // what the machine itself sends from
};

// Makes it, or makes it anew where it is another's. Returns what of a packet it carries, in bytes.
base::Result<int> ensure_overlay(NetlinkSocket& socket, const OverlayPlan& plan);

struct RemoteTask {
  Ipv4 address;
  std::optional<Ipv6> address6;
  Ipv4 machine;
};

// Where packets are led now; nobody where there is no such link. An address's IPv6 one is known by its last four bytes,
// which are the IPv4 one's.
base::Result<std::vector<RemoteTask>> list_remotes(NetlinkSocket& socket, const std::string& overlay);

// Brings routes and forwarding entries to exactly these, whatever an earlier process left.
base::Result<> route_to(NetlinkSocket& socket, const std::string& overlay, const std::vector<RemoteTask>& tasks);

}  // namespace orchion::node::networks
