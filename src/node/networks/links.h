#pragma once

// Veth pairs, VXLAN, addresses, routes and neighbours, each as one netlink request or a few. What `networks` needs, no
// more.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
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
  int mtu = 0;
  bool in_bridge = false;
  std::string kind;  // "vxlan", "wireguard"; empty: hardware's
};

// kNotFound where there is none of that name.
base::Result<Link> find_link(NetlinkSocket& socket, const std::string& name);

// Every link whose name begins with `prefix`.
base::Result<std::vector<Link>> list_links(NetlinkSocket& socket, std::string_view prefix);

// The link that has this address; kNotFound where none has it.
base::Result<Link> link_with_address(NetlinkSocket& socket, Ipv4 address);

// `name` here; `peer` in the namespace. Both down.
struct VethPlan {
  std::string name;
  Mac mac{};
  std::string peer;
  Mac peer_mac{};
  int namespace_fd = -1;
  int mtu = 0;  // of both ends; 0: the kernel's choice
};
NetlinkRequest make_veth(const VethPlan& plan);

// A machine of its own on the network of the link `parent` of this namespace: in the other namespace, down. EADDRINUSE
// while another with the same hardware address is on that parent.
struct MacvlanPlan {
  int parent = 0;    // index
  std::string name;  // in the namespace
  Mac mac{};
  int namespace_fd = -1;
  int mtu = 0;  // 0: the parent's
};
NetlinkRequest make_macvlan(const MacvlanPlan& plan);

// The VLAN `id` of the link `parent`, down.
NetlinkRequest make_vlan(const std::string& name, int parent, std::uint16_t id);

// Says to everybody on the wire who has its address as soon as it has it: switches learn where it is now.
NetlinkRequest with_announcement(const std::string& name);

// VXLAN that learns nothing: it sends where the forwarding entries say.
struct VxlanPlan {
  std::string name;
  std::uint32_t number = 0;
  std::optional<Ipv4> local;  // what it sends from; unset: what the way to each machine has
  std::uint16_t port = 0;
  Mac mac{};
  int mtu = 0;
};
NetlinkRequest make_vxlan(const VxlanPlan& plan);

NetlinkRequest make_wireguard(const std::string& name);

// No IPv6 address of its own and no duplicate address detection. Fails where IPv6 is off: ignore that.
NetlinkRequest without_ipv6(const std::string& name);

// Translated packets for 127.0.0.1 leave and come back by it; and who sends to itself through it isn't told of a
// shorter way.
NetlinkRequest as_gateway(const std::string& name);
NetlinkRequest bring_up(const std::string& name);
NetlinkRequest with_alias(const std::string& name, const std::string& alias);
NetlinkRequest with_mtu(const std::string& name, int mtu);
NetlinkRequest delete_link(const std::string& name);
NetlinkRequest move_to_group(const std::string& name, std::uint32_t group);
NetlinkRequest delete_group(std::uint32_t group);

// One that is there already is no error; IPv6 ones are used at once, without asking whether somebody else has them.
NetlinkRequest add_address(int link_index, Ipv4 address, int prefix_length);
NetlinkRequest add_address(int link_index, const Ipv6& address, int prefix_length);
NetlinkRequest delete_address(int link_index, Ipv4 address, int prefix_length);

// Those of one link.
base::Result<std::vector<Ipv4>> list_addresses(NetlinkSocket& socket, int link_index);

// In place of what leads to the same range by the same family. `to` without a value: the default route.
template <class Address>
struct Route {
  int link_index = 0;
  std::optional<Address> to;
  int prefix_length = 0;
  std::optional<Address> gateway;  // taken for a neighbour, whatever the link's addresses are
  std::optional<Address> source;   // what the machine itself sends from
  std::uint32_t metric = 0;        // routes that lead to the same and differ in it stand beside each other
  std::uint8_t table = 0;          // asked where a rule leads to it; 0: the main one
};
NetlinkRequest put_route(const Route<Ipv4>& route);
NetlinkRequest put_route(const Route<Ipv6>& route);
NetlinkRequest delete_route(const Route<Ipv4>& route);
NetlinkRequest delete_route(const Route<Ipv6>& route);

// What is sent from this address asks `table` before all others. Its number is the rule's place too, the least first.
NetlinkRequest add_rule(Ipv4 from, std::uint8_t table);
NetlinkRequest delete_rule(Ipv4 from, std::uint8_t table);

// Routes to single addresses that go by this link, of those that put_route() made; with their gateways and metrics.
base::Result<std::vector<Route<Ipv4>>> list_routes(NetlinkSocket& socket, int link_index);
base::Result<std::vector<Route<Ipv6>>> list_routes6(NetlinkSocket& socket, int link_index);

// Who has an address on the link's other side, for good: nobody is asked for it.
NetlinkRequest put_neighbour(int link_index, Ipv4 address, const Mac& mac);
NetlinkRequest put_neighbour(int link_index, const Ipv6& address, const Mac& mac);

// A VXLAN's frames for `mac` go to that machine.
NetlinkRequest put_forwarding(int link_index, const Mac& mac, Ipv4 machine);
NetlinkRequest delete_forwarding(int link_index, const Mac& mac, Ipv4 machine);
base::Result<std::vector<std::pair<Mac, Ipv4>>> list_forwarding(NetlinkSocket& socket, int link_index);

// Returns when the link carries packets. The kernel starts a link's queues some time after its carrier came, and a
// packet sent before is lost without a word. kDeadlineExceeded after a second.
base::Result<> wait_until_usable(NetlinkSocket& socket, const std::string& name);

// Returns when the link's IPv6 addresses can be sent from: also those that nobody is asked about become so a moment
// after they were added, and what is sent to or from them before is lost. kDeadlineExceeded after a second.
base::Result<> wait_until_addressed(NetlinkSocket& socket, int link_index);

}  // namespace orchion::node::networks
