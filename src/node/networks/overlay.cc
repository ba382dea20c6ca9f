#include "node/networks/overlay.h"

#include <map>
#include <set>

#include <fmt/format.h>

#include "node/networks/links.h"
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

void change_machines(NetlinkSteps& steps, int link_index, const std::vector<Ipv4>& present,
                     const std::set<Ipv4>& wanted) {
  for (const auto machine : present) {
    if (!wanted.contains(machine)) steps.add_optional(delete_forwarding(link_index, mac_of(machine), machine));
  }
  const std::set<Ipv4> known(present.begin(), present.end());
  for (const auto machine : wanted) {
    if (known.contains(machine)) continue;
    const std::string action = "leading packets to the machine " + to_string(machine);
    steps.add(put_forwarding(link_index, mac_of(machine), machine), action);
    steps.add(put_neighbour(link_index, machine, mac_of(machine)), action);
    // Fails where IPv6 is off; then nobody goes that way.
    steps.add_optional(put_neighbour(link_index, link_local_of(machine), mac_of(machine)));
  }
}

}  // namespace

namespace {

// The link's only one, so that all routes by it have it as their source, and masquerading too.
base::Result<> send_from(NetlinkSocket& socket, const std::string& name, std::optional<Ipv4> host) {
  ASSIGN_OR_RETURN(const Link link, find_link(socket, name));
  ASSIGN_OR_RETURN(const auto present, list_addresses(socket, link.index));
  NetlinkSteps steps;
  // First: with a link's last address all its routes would go.
  if (host) steps.add(add_address(link.index, *host, 32), "giving this machine the address " + to_string(*host));
  for (const auto address : present) {
    if (address != host) steps.add_optional(delete_address(link.index, address, 32));
  }
  return steps.run(socket);
}

}  // namespace

base::Result<int> ensure_overlay(NetlinkSocket& socket, const OverlayPlan& plan) {
  ASSIGN_OR_RETURN(const Link way, link_with_address(socket, plan.machine));
  const int mtu = way.mtu - kTunnelBytes;
  const auto alias = fmt::format("orchion {} {}", plan.number, to_string(plan.machine));
  const auto known = find_link(socket, plan.name);
  if (!known || known->alias != alias) {
    RETURN_IF_ERROR(delete_if_there(socket, plan.name));
    RETURN_IF_ERROR(
        socket.run_one(make_vxlan({plan.name, plan.number, plan.machine, kTunnelPort, mac_of(plan.machine), mtu}),
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
  RETURN_IF_ERROR(send_from(socket, plan.name, plan.host));
  return mtu;
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

base::Result<> route_to(NetlinkSocket& socket, const std::string& overlay, const std::vector<RemoteTask>& tasks) {
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
  change_machines(steps, link.index, forwarding, machines);
  change_routes(steps, link.index, 32, routes, ways);
  change_routes(steps, link.index, 128, routes6, ways6);
  return steps.run(socket);
}

}  // namespace orchion::node::networks
