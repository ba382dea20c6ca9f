#include "node/networks/overlay.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "node/networks/links.h"
#include "node/networks/wireguard.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {
namespace {

// Tasks by address, each with its machine.
template <class Address>
using Ways = std::map<Address, Ipv4>;

Ipv4 next_hop(Ipv4 machine, const Ipv4*) {
  return machine;
}

Ipv6 next_hop(Ipv4 machine, const Ipv6*) {
  return link_local_of(machine);
}

Ipv4 last_four(const Ipv6& address) {
  Ipv4 out;
  for (std::size_t i = 12; i < 16; ++i) out.value = out.value << 8 | address.bytes[i];
  return out;
}

template <class Address>
void change_routes(NetlinkSteps& steps, int link_index, int bits, const std::vector<Route<Address>>& present,
                   const Ways<Address>& wanted) {
  Ways<Address> missing = wanted;
  for (const auto& route : present) {
    const auto way = wanted.find(*route.to);
    if (way == wanted.end()) {
      steps.add_optional(delete_route(route));
    } else if (route.gateway == next_hop(way->second, static_cast<const Address*>(nullptr))) {
      missing.erase(*route.to);
    }
  }
  for (const auto& [address, machine] : missing) {
    const auto hop = next_hop(machine, static_cast<const Address*>(nullptr));
    steps.add(put_route(Route<Address>{link_index, address, bits, hop, std::nullopt}),
              "leading packets to " + to_string(address) + " on another machine");
  }
}

void change_machines(NetlinkSteps& steps, int link_index, const std::vector<std::pair<Mac, Ipv4>>& present,
                     const std::set<Ipv4>& wanted, const TunnelEnds& ends) {
  std::map<Mac, Ipv4> known;
  for (const auto& [mac, end] : present) {
    const auto is_it = [mac = mac](Ipv4 machine) { return mac_of(machine) == mac; };
    if (std::ranges::none_of(wanted, is_it)) steps.add_optional(delete_forwarding(link_index, mac, end));
    known[mac] = end;
  }
  for (const auto machine : wanted) {
    const auto tunnel = ends.find(machine);
    const Ipv4 end = tunnel == ends.end() ? machine : tunnel->second;
    const auto now = known.find(mac_of(machine));
    if (now != known.end() && now->second == end) continue;
    const std::string action = "leading packets to the machine " + to_string(machine);
    steps.add(put_forwarding(link_index, mac_of(machine), end), action);
    steps.add(put_neighbour(link_index, machine, mac_of(machine)), action);
    // Fails where IPv6 is off; then nobody goes that way.
    steps.add_optional(put_neighbour(link_index, link_local_of(machine), mac_of(machine)));
  }
}

}  // namespace

namespace {

// The link's only one, so that all routes by it have it as their source, and masquerading too. While nobody has said
// which, that of a former process stays: with a link's last address its neighbours would go.
base::Result<> send_from(NetlinkSocket& socket, const std::string& name, std::optional<Ipv4> host) {
  if (!host) return {};
  ASSIGN_OR_RETURN(const Link link, find_link(socket, name));
  ASSIGN_OR_RETURN(const auto present, list_addresses(socket, link.index));
  NetlinkSteps steps;
  // First: with a link's last address all its routes would go.
  steps.add(add_address(link.index, *host, 32), "giving this machine the address " + to_string(*host));
  for (const auto address : present) {
    if (address != host) steps.add_optional(delete_address(link.index, address, 32));
  }
  return steps.run(socket);
}

}  // namespace

int overlay_mtu(int link_mtu, bool in_tunnels) {
  return link_mtu - kTunnelBytes - (in_tunnels ? kWireguardBytes : 0);
}

base::Result<> ensure_overlay(NetlinkSocket& socket, const OverlayPlan& plan) {
  ASSIGN_OR_RETURN(const Link way, link_with_address(socket, plan.machine));
  const int mtu = overlay_mtu(way.mtu, plan.in_tunnels);
  const auto alias =
      fmt::format("orchion {} {}{}", plan.number, to_string(plan.machine), plan.in_tunnels ? " mesh" : "");
  const auto known = find_link(socket, plan.name);
  if (!known || known->alias != alias) {
    RETURN_IF_ERROR(delete_if_there(socket, plan.name));
    const auto local = plan.in_tunnels ? std::nullopt : std::optional(plan.machine);
    RETURN_IF_ERROR(socket.run_one(make_vxlan({plan.name, plan.number, local, kTunnelPort, mac_of(plan.machine), mtu}),
                                   "making the tunnel " + plan.name + " (does this kernel have VXLAN?)"));
  }
  NetlinkSteps steps;
  steps.add_optional(without_ipv6(plan.name));
  // The kernel takes none with the link's making.
  steps.add(with_alias(plan.name, alias), "naming " + plan.name);
  steps.add(with_mtu(plan.name, mtu), "setting up " + plan.name);
  steps.add(as_gateway(plan.name), "setting up " + plan.name);
  steps.add(bring_up(plan.name), "bringing up " + plan.name);
  RETURN_IF_ERROR(steps.run(socket));
  return send_from(socket, plan.name, plan.host);
}

base::Result<std::vector<RemoteTask>> list_remotes(NetlinkSocket& socket, const std::string& overlay) {
  const auto link = find_link(socket, overlay);
  if (!link) return std::vector<RemoteTask>{};
  ASSIGN_OR_RETURN(const auto routes, list_routes(socket, link->index));
  ASSIGN_OR_RETURN(const auto routes6, list_routes6(socket, link->index));
  std::map<Ipv4, Ipv6> sixes;
  for (const auto& route : routes6) sixes[last_four(*route.to)] = *route.to;
  std::vector<RemoteTask> tasks;
  for (const auto& route : routes) {
    if (!route.gateway) continue;
    RemoteTask task{*route.to, std::nullopt, *route.gateway};
    if (const auto six = sixes.find(*route.to); six != sixes.end()) task.address6 = six->second;
    tasks.push_back(task);
  }
  return tasks;
}

base::Result<> route_to(NetlinkSocket& socket, const std::string& overlay, const std::vector<RemoteTask>& tasks,
                        const TunnelEnds& ends) {
  ASSIGN_OR_RETURN(const Link link, find_link(socket, overlay));
  Ways<Ipv4> ways;
  Ways<Ipv6> ways6;
  std::set<Ipv4> machines;
  for (const auto& task : tasks) {
    ways[task.address] = task.machine;
    if (task.address6) ways6[*task.address6] = task.machine;
    machines.insert(task.machine);
  }
  ASSIGN_OR_RETURN(const auto forwarding, list_forwarding(socket, link.index));
  ASSIGN_OR_RETURN(const auto routes, list_routes(socket, link.index));
  ASSIGN_OR_RETURN(const auto routes6, list_routes6(socket, link.index));
  NetlinkSteps steps;
  change_machines(steps, link.index, forwarding, machines, ends);
  change_routes(steps, link.index, 32, routes, ways);
  change_routes(steps, link.index, 128, routes6, ways6);
  return steps.run(socket);
}

}  // namespace orchion::node::networks
