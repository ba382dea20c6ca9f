#pragma once

// One task's links: from its namespace to the bridges, up and ready to carry its first packet.

#include <filesystem>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/links.h"

namespace orchion::node::networks {

struct Leg {
  std::string host_link;  // in the bridge
  std::string task_link;  // in the namespace: "eth0", …
  std::string bridge;
  Ipv4 address;
  Subnet subnet;
  Ipv4 gateway;
  bool hairpin = false;  // it publishes ports, and may use them itself
  bool way_out = false;  // the default route goes through the first leg that has one
  int mtu = 0;           // 0: as it is
};

// Makes the namespace at `path` and its links, or completes what is there. Blocks.
base::Result<> wire_task(const std::filesystem::path& path, const std::vector<Leg>& legs);

// Makes the bridge, or brings it to this: up, with `gateway` as its only address.
struct BridgePlan {
  std::string name;
  Subnet subnet;
  Ipv4 gateway;
  int mtu = 0;  // 0: as it is
};
base::Result<> ensure_bridge(const BridgePlan& plan);

// False where there is no such link.
base::Result<bool> delete_if_there(NetlinkSocket& socket, const std::string& link);

// A link's removal waits for all processors, some 20 ms. Marked first, any number are removed in one such wait.
base::Result<bool> mark_if_there(NetlinkSocket& socket, const std::string& link, std::uint32_t removal_group);
base::Result<> delete_marked(std::uint32_t removal_group);

}  // namespace orchion::node::networks
