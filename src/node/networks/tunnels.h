#pragma once

// A network's way to other machines: a VXLAN device as a port of its bridge, and a table that says which address is
// where. Nothing is learned and nothing is flooded: who isn't in the table isn't reached, and what a bridge asks by
// broadcast the kernel answers from the table. So the bridges' own address, the same on every machine, stays on each.

#include <cstdint>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/netlink.h"

namespace orchion::node::networks {

// Of every link in a network that has a tunnel: 50 bytes less than what Ethernet carries between the machines.
inline constexpr int kTunnelledMtu = 1450;

struct TunnelPlan {
  std::string name;
  std::string bridge;
  std::uint32_t vni = 0;
  Ipv4 underlay;  // this machine's
};
// Makes it, or makes it anew where it is another's.
base::Result<> ensure_tunnel(NetlinkSocket& socket, const TunnelPlan& plan);

struct RemoteTask {
  Ipv4 address;
  Ipv4 node;
};
// Brings the table to exactly these, whatever an earlier process left in it.
base::Result<> forward_to(NetlinkSocket& socket, const std::string& tunnel, const std::vector<RemoteTask>& tasks);

}  // namespace orchion::node::networks
