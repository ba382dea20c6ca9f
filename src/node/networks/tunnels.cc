#include "node/networks/tunnels.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "node/networks/links.h"
#include "node/networks/ruleset.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {
namespace {

constexpr std::uint16_t kPut = NLM_F_CREATE | NLM_F_REPLACE;

NetlinkRequest make_tunnel(const TunnelPlan& plan, int bridge_index, const std::string& alias) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.body(ifinfomsg{});
  request.text(IFLA_IFNAME, plan.name);
  request.text(IFLA_IFALIAS, alias);
  request.value(IFLA_MASTER, bridge_index);
  request.value(IFLA_MTU, kTunnelledMtu);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "vxlan");
  const auto data = request.open(IFLA_INFO_DATA);
  request.value(IFLA_VXLAN_ID, plan.vni);
  request.value(IFLA_VXLAN_LOCAL, htonl(plan.underlay.value));
  request.value(IFLA_VXLAN_PORT, htons(kTunnelPort));
  request.value(IFLA_VXLAN_LEARNING, std::uint8_t{0});
  request.value(IFLA_VXLAN_PROXY, std::uint8_t{1});  // questions for addresses are answered here, from the table
  return request.close(data).close(info);
}

// As a port of the bridge: what comes by it teaches nothing, and goes nowhere but where the table says.
NetlinkRequest without_learning(const std::string& name) {
  NetlinkRequest request(RTM_NEWLINK, 0);
  request.body(ifinfomsg{});
  request.text(IFLA_IFNAME, name);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_SLAVE_KIND, "bridge");
  const auto data = request.open(IFLA_INFO_SLAVE_DATA);
  request.value(IFLA_BRPORT_LEARNING, std::uint8_t{0});
  request.value(IFLA_BRPORT_UNICAST_FLOOD, std::uint8_t{0});
  return request.close(data).close(info);
}

NetlinkRequest neighbour(bool put, std::uint8_t family, int link_index, std::uint8_t flags) {
  ndmsg body{};
  body.ndm_family = family;
  body.ndm_ifindex = link_index;
  body.ndm_flags = flags;
  body.ndm_state = family == AF_BRIDGE ? NUD_NOARP | NUD_PERMANENT : NUD_PERMANENT;
  if ((flags & NTF_MASTER) != 0) body.ndm_state = NUD_NOARP;
  NetlinkRequest request(put ? RTM_NEWNEIGH : RTM_DELNEIGH, put ? kPut : std::uint16_t{0});
  return request.body(body);
}

// The bridge leads the task's frames to the tunnel.
NetlinkRequest bridge_entry(bool put, int link_index, Ipv4 address) {
  return neighbour(put, AF_BRIDGE, link_index, NTF_MASTER).value(NDA_LLADDR, mac_of(address));
}

// The tunnel leads them to the machine.
NetlinkRequest tunnel_entry(bool put, int link_index, const RemoteTask& task) {
  auto request = neighbour(put, AF_BRIDGE, link_index, NTF_SELF);
  request.value(NDA_LLADDR, mac_of(task.address));
  return request.value(NDA_DST, htonl(task.node.value));
}

// Who asks for the address is answered. It is also the record of what is in the table.
NetlinkRequest address_entry(bool put, int link_index, Ipv4 address) {
  auto request = neighbour(put, AF_INET, link_index, 0);
  request.value(NDA_DST, htonl(address.value));
  return request.value(NDA_LLADDR, mac_of(address));
}

base::Result<std::set<std::uint32_t>> list_entries(NetlinkSocket& socket, int link_index) {
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP);
  ndmsg filter{};
  filter.ndm_family = AF_INET;
  request.body(filter);
  ASSIGN_OR_RETURN(const auto messages, socket.query(std::move(request), "listing a tunnel's addresses"));
  std::set<std::uint32_t> addresses;
  for (const auto& message : messages) {
    const auto body = message.body<ndmsg>();
    const auto address = message.attribute(sizeof(body), NDA_DST);
    if (body.ndm_ifindex != link_index || address.size() != sizeof(std::uint32_t)) continue;
    std::uint32_t raw = 0;
    std::memcpy(&raw, address.data(), sizeof(raw));
    addresses.insert(ntohl(raw));
  }
  return addresses;
}

// The failures of requests that remove are none.
base::Result<> run_all(NetlinkSocket& socket, std::vector<NetlinkRequest> requests, bool strict,
                       const std::string& action) {
  if (requests.empty()) return {};
  ASSIGN_OR_RETURN(const auto errors, socket.run(requests));
  for (const int error : errors) {
    if (strict && error != 0) return base::fail_errno(error, action);
  }
  return {};
}

}  // namespace

base::Result<> ensure_tunnel(NetlinkSocket& socket, const TunnelPlan& plan) {
  const auto alias = fmt::format("orchion {} {} {}", plan.bridge, plan.vni, to_string(plan.underlay));
  const auto known = find_link(socket, plan.name);
  if (!known || known->alias != alias) {
    RETURN_IF_ERROR(delete_if_there(socket, plan.name));
    ASSIGN_OR_RETURN(const Link bridge, find_link(socket, plan.bridge));
    RETURN_IF_ERROR(socket.run_one(make_tunnel(plan, bridge.index, alias),
                                   "making the tunnel " + plan.name + " (does this kernel have VXLAN?)"));
  }
  RETURN_IF_ERROR(socket.run_one(without_learning(plan.name), "setting up " + plan.name));
  (void)socket.run_one(without_ipv6(plan.name), "");
  return socket.run_one(bring_up(plan.name), "bringing up " + plan.name);
}

base::Result<> forward_to(NetlinkSocket& socket, const std::string& tunnel, const std::vector<RemoteTask>& tasks) {
  ASSIGN_OR_RETURN(const Link link, find_link(socket, tunnel));
  ASSIGN_OR_RETURN(auto stale, list_entries(socket, link.index));
  std::vector<NetlinkRequest> puts;
  for (const auto& task : tasks) {
    stale.erase(task.address.value);
    puts.push_back(address_entry(true, link.index, task.address));
    puts.push_back(tunnel_entry(true, link.index, task));
    puts.push_back(bridge_entry(true, link.index, task.address));
  }
  std::vector<NetlinkRequest> removals;
  for (const auto value : stale) {
    removals.push_back(bridge_entry(false, link.index, Ipv4{value}));
    removals.push_back(neighbour(false, AF_BRIDGE, link.index, NTF_SELF).value(NDA_LLADDR, mac_of(Ipv4{value})));
    removals.push_back(address_entry(false, link.index, Ipv4{value}));
  }
  RETURN_IF_ERROR(run_all(socket, std::move(removals), false, ""));
  return run_all(socket, std::move(puts), true, "leading frames to other machines by " + tunnel);
}

}  // namespace orchion::node::networks
