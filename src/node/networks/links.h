#pragma once

// Bridges, veth pairs, addresses and routes, each as one netlink request or a few. What `networks` needs, no more.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/netlink.h"

namespace orchion::node::networks {

struct Link {
  int index = 0;
  std::string name;
  std::string alias;    // a note for people and for us
  bool up = false;      // administratively
  bool usable = false;  // it carries packets: carrier seen, queues running
};

// kNotFound where there is none of that name.
base::Result<Link> find_link(NetlinkSocket& socket, const std::string& name);

// Every link whose name begins with `prefix`.
base::Result<std::vector<Link>> list_links(NetlinkSocket& socket, std::string_view prefix);

// The IPv4 addresses of a link, each with its prefix length.
struct LinkAddress {
  Ipv4 address;
  int prefix_length = 0;
  bool operator==(const LinkAddress&) const = default;
};
base::Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& socket, int link_index);

NetlinkRequest make_bridge(const std::string& name, const Mac& mac);

// `name` here, in the bridge; `peer` in the namespace. Both down.
struct VethPlan {
  std::string name;
  int bridge_index = 0;
  std::string peer;
  Mac peer_mac{};
  int namespace_fd = -1;
  int mtu = 0;  // of both ends; 0: the kernel's choice
};
NetlinkRequest make_veth(const VethPlan& plan);

// No IPv6 address of its own and no duplicate address detection. Fails where IPv6 is off: ignore that.
NetlinkRequest without_ipv6(const std::string& name);
NetlinkRequest bring_up(const std::string& name);

// Lets the bridge give a frame back to the port it came by: a task that reaches itself by its published port, where
// the bridge's frames pass the firewall and are translated before they leave the bridge.
NetlinkRequest with_hairpin(const std::string& name);
NetlinkRequest with_mtu(const std::string& name, int mtu);
NetlinkRequest delete_link(const std::string& name);
NetlinkRequest move_to_group(const std::string& name, std::uint32_t group);
NetlinkRequest delete_group(std::uint32_t group);
NetlinkRequest add_address(int link_index, Ipv4 address, const Subnet& subnet);
NetlinkRequest delete_address(int link_index, LinkAddress address);
NetlinkRequest default_route(int link_index, Ipv4 gateway);

// Returns when the link carries packets. The kernel starts a link's queues some time after its carrier came, and a
// packet sent before is lost without a word. kDeadlineExceeded after a second.
base::Result<> wait_until_usable(NetlinkSocket& socket, const std::string& name);

}  // namespace orchion::node::networks
