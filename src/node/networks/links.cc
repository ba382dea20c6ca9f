#include "node/networks/links.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <span>
#include <utility>

namespace orchion::node::networks {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

// RFC 2863 state, as IFLA_OPERSTATE has it.
constexpr std::uint8_t kOperationalUp = 6;

NetlinkRequest link_request(std::uint16_t type, std::uint16_t flags, unsigned change_flags = 0) {
  ifinfomsg info{};
  info.ifi_family = AF_UNSPEC;
  info.ifi_flags = change_flags;
  info.ifi_change = change_flags;
  NetlinkRequest request(type, flags);
  request.body(info);
  return request;
}

Link link_from(const NetlinkMessage& message) {
  const auto info = message.body<ifinfomsg>();
  const auto name = message.attribute(sizeof(info), IFLA_IFNAME);
  const auto state = message.attribute(sizeof(info), IFLA_OPERSTATE);
  const auto alias = message.attribute(sizeof(info), IFLA_IFALIAS);
  Link link;
  link.index = info.ifi_index;
  if (!alias.empty()) link.alias.assign(alias.begin(), alias.end() - 1);
  const auto mtu = message.attribute(sizeof(info), IFLA_MTU);
  if (mtu.size() == sizeof(link.mtu)) std::memcpy(&link.mtu, mtu.data(), sizeof(link.mtu));
  link.in_bridge = !message.attribute(sizeof(info), IFLA_MASTER).empty();
  if (!name.empty()) link.name.assign(name.begin(), name.end() - 1);
  for_attributes(message.attribute(sizeof(info), IFLA_LINKINFO), [&](std::uint16_t type, const auto& kind) {
    if (type == IFLA_INFO_KIND && !kind.empty()) link.kind.assign(kind.begin(), kind.end() - 1);
  });
  link.up = (info.ifi_flags & IFF_UP) != 0;
  link.usable = !state.empty() && state[0] == kOperationalUp;
  return link;
}

// What differs between the families on the wire.
struct Raw {
  std::uint8_t family = 0;
  std::vector<std::uint8_t> bytes;
  int bits() const { return static_cast<int>(bytes.size()) * 8; }
};

Raw raw(Ipv4 address) {
  const std::uint32_t value = htonl(address.value);
  Raw out{AF_INET, std::vector<std::uint8_t>(sizeof(value))};
  std::memcpy(out.bytes.data(), &value, sizeof(value));
  return out;
}

Raw raw(const Ipv6& address) {
  return {AF_INET6, {address.bytes.begin(), address.bytes.end()}};
}

NetlinkRequest& put(NetlinkRequest& request, std::uint16_t type, const Raw& address) {
  return request.attribute(type, address.bytes.data(), address.bytes.size());
}

void read(std::span<const std::uint8_t> bytes, std::optional<Ipv4>& out) {
  std::uint32_t value = 0;
  if (bytes.size() != sizeof(value)) return;
  std::memcpy(&value, bytes.data(), sizeof(value));
  out = Ipv4{ntohl(value)};
}

void read(std::span<const std::uint8_t> bytes, std::optional<Ipv6>& out) {
  if (bytes.size() != out.emplace().bytes.size()) return out.reset();
  std::copy(bytes.begin(), bytes.end(), out->bytes.begin());
}

NetlinkRequest address_request(std::uint16_t type, int link_index, const Raw& address, int prefix_length,
                               std::uint8_t flags) {
  ifaddrmsg body{};
  body.ifa_family = address.family;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  body.ifa_flags = flags;
  body.ifa_index = static_cast<std::uint32_t>(link_index);
  NetlinkRequest request(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0);
  request.body(body);
  put(request, IFA_LOCAL, address);
  put(request, IFA_ADDRESS, address);
  return request;
}

// Marks our routes among others on a link.
constexpr std::uint8_t kOurProtocol = 111;

template <class Address>
NetlinkRequest route_request(std::uint16_t type, std::uint16_t flags, const Route<Address>& route) {
  rtmsg body{};
  body.rtm_family = raw(Address{}).family;
  body.rtm_dst_len = static_cast<std::uint8_t>(route.prefix_length);
  body.rtm_table = route.table == 0 ? std::uint8_t{RT_TABLE_MAIN} : route.table;
  body.rtm_protocol = kOurProtocol;
  body.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  body.rtm_type = RTN_UNICAST;
  if (route.gateway) body.rtm_flags = RTNH_F_ONLINK;
  NetlinkRequest request(type, flags);
  request.body(body);
  if (route.to) put(request, RTA_DST, raw(*route.to));
  if (route.gateway) put(request, RTA_GATEWAY, raw(*route.gateway));
  if (route.source) put(request, RTA_PREFSRC, raw(*route.source));
  if (route.metric != 0) request.value(RTA_PRIORITY, route.metric);
  return request.value(RTA_OIF, route.link_index);
}

template <class Address>
base::Result<std::vector<Route<Address>>> routes_by(NetlinkSocket& socket, int link_index) {
  NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
  rtmsg filter{};
  filter.rtm_family = raw(Address{}).family;
  request.body(filter);
  ASSIGN_OR_RETURN(const auto messages, socket.query(std::move(request), "listing routes"));
  std::vector<Route<Address>> routes;
  for (const auto& message : messages) {
    const auto body = message.body<rtmsg>();
    const auto link = message.attribute(sizeof(body), RTA_OIF);
    Route<Address> route{.prefix_length = body.rtm_dst_len};
    if (link.size() == sizeof(int)) std::memcpy(&route.link_index, link.data(), sizeof(int));
    read(message.attribute(sizeof(body), RTA_DST), route.to);
    read(message.attribute(sizeof(body), RTA_GATEWAY), route.gateway);
    const auto metric = message.attribute(sizeof(body), RTA_PRIORITY);
    if (metric.size() == sizeof(route.metric)) std::memcpy(&route.metric, metric.data(), sizeof(route.metric));
    const bool single = route.to && body.rtm_dst_len == raw(*route.to).bits();
    if (route.link_index == link_index && single && body.rtm_protocol == kOurProtocol) routes.push_back(route);
  }
  return routes;
}

constexpr std::uint16_t kPut = NLM_F_CREATE | NLM_F_REPLACE;

NetlinkRequest neighbour_request(int link_index, const Raw& address, const Mac& mac) {
  ndmsg body{};
  body.ndm_family = address.family;
  body.ndm_ifindex = link_index;
  body.ndm_state = NUD_PERMANENT;
  NetlinkRequest request(RTM_NEWNEIGH, kPut);
  request.body(body);
  put(request, NDA_DST, address);
  return request.value(NDA_LLADDR, mac);
}

NetlinkRequest forwarding_request(std::uint16_t type, std::uint16_t flags, int link_index, const Mac& mac,
                                  Ipv4 machine) {
  ndmsg body{};
  body.ndm_family = AF_BRIDGE;
  body.ndm_ifindex = link_index;
  body.ndm_state = NUD_NOARP | NUD_PERMANENT;
  body.ndm_flags = NTF_SELF;
  NetlinkRequest request(type, flags);
  request.body(body);
  request.value(NDA_LLADDR, mac);
  return request.value(NDA_DST, htonl(machine.value));
}

}  // namespace

base::Result<Link> find_link(NetlinkSocket& socket, const std::string& name) {
  NetlinkRequest request = link_request(RTM_GETLINK, 0);
  request.text(IFLA_IFNAME, name);
  auto found = socket.query(std::move(request), "looking for the link " + name);
  if (!found && found.error().message.ends_with(std::strerror(ENODEV))) {
    return base::fail(base::Code::kNotFound, "there is no link " + name);
  }
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return base::fail(base::Code::kInternal, "the kernel gave no answer about the link " + name);
  return link_from(found->front());
}

base::Result<std::vector<Link>> list_links(NetlinkSocket& socket, std::string_view prefix) {
  ASSIGN_OR_RETURN(const auto messages, socket.query(link_request(RTM_GETLINK, NLM_F_DUMP), "listing links"));
  std::vector<Link> links;
  for (const auto& message : messages) {
    Link link = link_from(message);
    if (link.name.starts_with(prefix)) links.push_back(std::move(link));
  }
  return links;
}

namespace {

// Each with its link's index.
base::Result<std::vector<std::pair<Ipv4, int>>> all_addresses(NetlinkSocket& socket) {
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
  ifaddrmsg filter{};
  filter.ifa_family = AF_INET;
  request.body(filter);
  ASSIGN_OR_RETURN(const auto messages, socket.query(std::move(request), "listing addresses"));
  std::vector<std::pair<Ipv4, int>> addresses;
  for (const auto& message : messages) {
    const auto body = message.body<ifaddrmsg>();
    std::optional<Ipv4> local;
    read(message.attribute(sizeof(body), IFA_LOCAL), local);
    if (local) addresses.emplace_back(*local, static_cast<int>(body.ifa_index));
  }
  return addresses;
}

}  // namespace

base::Result<std::vector<Ipv4>> list_addresses(NetlinkSocket& socket, int link_index) {
  ASSIGN_OR_RETURN(const auto all, all_addresses(socket));
  std::vector<Ipv4> addresses;
  for (const auto& [address, index] : all) {
    if (index == link_index) addresses.push_back(address);
  }
  return addresses;
}

base::Result<Link> link_with_address(NetlinkSocket& socket, Ipv4 address) {
  ASSIGN_OR_RETURN(const auto addresses, all_addresses(socket));
  ASSIGN_OR_RETURN(const auto links, list_links(socket, ""));
  for (const auto& [local, index] : addresses) {
    if (local != address) continue;
    for (const auto& link : links) {
      if (link.index == index) return link;
    }
  }
  return base::fail(base::Code::kNotFound,
                    "this machine has no address " + to_string(address) + ": advertise one that it has");
}

NetlinkRequest make_veth(const VethPlan& plan) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, plan.name);
  request.value(IFLA_ADDRESS, plan.mac);
  if (plan.mtu != 0) request.value(IFLA_MTU, plan.mtu);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "veth");
  const auto data = request.open(IFLA_INFO_DATA);
  const auto peer = request.open(VETH_INFO_PEER);
  request.body(ifinfomsg{});
  request.text(IFLA_IFNAME, plan.peer);
  request.value(IFLA_ADDRESS, plan.peer_mac);
  if (plan.mtu != 0) request.value(IFLA_MTU, plan.mtu);
  request.value(IFLA_NET_NS_FD, plan.namespace_fd);
  return request.close(peer).close(data).close(info);
}

NetlinkRequest make_macvlan(const MacvlanPlan& plan) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, plan.name);
  request.value(IFLA_ADDRESS, plan.mac);
  if (plan.mtu != 0) request.value(IFLA_MTU, plan.mtu);
  request.value(IFLA_LINK, plan.parent);
  request.value(IFLA_NET_NS_FD, plan.namespace_fd);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "macvlan");
  const auto data = request.open(IFLA_INFO_DATA);
  request.value(IFLA_MACVLAN_MODE, std::uint32_t{MACVLAN_MODE_BRIDGE});
  return request.close(data).close(info);
}

NetlinkRequest make_vlan(const std::string& name, int parent, std::uint16_t id) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, name);
  request.value(IFLA_LINK, parent);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "vlan");
  const auto data = request.open(IFLA_INFO_DATA);
  request.value(IFLA_VLAN_ID, id);
  return request.close(data).close(info);
}

NetlinkRequest make_vxlan(const VxlanPlan& plan) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, plan.name);
  request.value(IFLA_ADDRESS, plan.mac);
  request.value(IFLA_MTU, plan.mtu);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "vxlan");
  const auto data = request.open(IFLA_INFO_DATA);
  request.value(IFLA_VXLAN_ID, plan.number);
  if (plan.local) request.value(IFLA_VXLAN_LOCAL, htonl(plan.local->value));
  request.value(IFLA_VXLAN_PORT, htons(plan.port));
  request.value(IFLA_VXLAN_LEARNING, std::uint8_t{0});
  return request.close(data).close(info);
}

NetlinkRequest make_wireguard(const std::string& name) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, name);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "wireguard");
  return request.close(info);
}

NetlinkRequest without_ipv6(const std::string& name) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0);
  request.text(IFLA_IFNAME, name);
  const auto families = request.open(IFLA_AF_SPEC);
  const auto inet6 = request.open(AF_INET6);
  request.value(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE});
  return request.close(inet6).close(families);
}

namespace {

NetlinkRequest with_ipv4_settings(const std::string& name,
                                  std::initializer_list<std::pair<std::uint16_t, std::uint32_t>> values) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0);
  request.text(IFLA_IFNAME, name);
  const auto families = request.open(IFLA_AF_SPEC);
  const auto inet = request.open(AF_INET);
  const auto settings = request.open(IFLA_INET_CONF);
  for (const auto& [setting, value] : values) request.value(setting, value);
  return request.close(settings).close(inet).close(families);
}

}  // namespace

NetlinkRequest as_gateway(const std::string& name) {
  return with_ipv4_settings(name, {{IPV4_DEVCONF_ROUTE_LOCALNET, 1}, {IPV4_DEVCONF_SEND_REDIRECTS, 0}});
}

NetlinkRequest with_announcement(const std::string& name) {
  return with_ipv4_settings(name, {{IPV4_DEVCONF_ARP_NOTIFY, 1}});
}

NetlinkRequest bring_up(const std::string& name) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0, IFF_UP);
  return request.text(IFLA_IFNAME, name);
}

NetlinkRequest with_alias(const std::string& name, const std::string& alias) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0);
  request.text(IFLA_IFNAME, name);
  return request.attribute(IFLA_IFALIAS, alias.data(), alias.size());
}

NetlinkRequest with_mtu(const std::string& name, int mtu) {
  NetlinkRequest request = link_request(RTM_NEWLINK, 0);
  request.text(IFLA_IFNAME, name);
  return request.value(IFLA_MTU, mtu);
}

NetlinkRequest delete_link(const std::string& name) {
  NetlinkRequest request = link_request(RTM_DELLINK, 0);
  return request.text(IFLA_IFNAME, name);
}

NetlinkRequest move_to_group(const std::string& name, std::uint32_t group) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0);
  request.text(IFLA_IFNAME, name);
  return request.value(IFLA_GROUP, group);
}

NetlinkRequest delete_group(std::uint32_t group) {
  NetlinkRequest request = link_request(RTM_DELLINK, 0);
  return request.value(IFLA_GROUP, group);
}

NetlinkRequest add_address(int link_index, Ipv4 address, int prefix_length) {
  return address_request(RTM_NEWADDR, link_index, raw(address), prefix_length, 0);
}

NetlinkRequest delete_address(int link_index, Ipv4 address, int prefix_length) {
  return address_request(RTM_DELADDR, link_index, raw(address), prefix_length, 0);
}

NetlinkRequest add_address(int link_index, const Ipv6& address, int prefix_length) {
  return address_request(RTM_NEWADDR, link_index, raw(address), prefix_length, IFA_F_NODAD);
}

NetlinkRequest put_route(const Route<Ipv4>& route) {
  return route_request(RTM_NEWROUTE, kPut, route);
}

NetlinkRequest put_route(const Route<Ipv6>& route) {
  return route_request(RTM_NEWROUTE, kPut, route);
}

NetlinkRequest delete_route(const Route<Ipv4>& route) {
  return route_request(RTM_DELROUTE, 0, route);
}

NetlinkRequest delete_route(const Route<Ipv6>& route) {
  return route_request(RTM_DELROUTE, 0, route);
}

namespace {

NetlinkRequest rule_request(std::uint16_t type, std::uint16_t flags, Ipv4 from, std::uint8_t table) {
  const Raw address = raw(from);
  fib_rule_hdr body{};
  body.family = address.family;
  body.src_len = static_cast<std::uint8_t>(address.bits());
  body.table = table;
  body.action = FR_ACT_TO_TBL;
  NetlinkRequest request(type, flags);
  request.body(body);
  put(request, FRA_SRC, address);
  return request.value(FRA_PRIORITY, std::uint32_t{table});
}

}  // namespace

NetlinkRequest add_rule(Ipv4 from, std::uint8_t table) {
  return rule_request(RTM_NEWRULE, kCreate, from, table);
}

NetlinkRequest delete_rule(Ipv4 from, std::uint8_t table) {
  return rule_request(RTM_DELRULE, 0, from, table);
}

base::Result<std::vector<Route<Ipv4>>> list_routes(NetlinkSocket& socket, int link_index) {
  return routes_by<Ipv4>(socket, link_index);
}

base::Result<std::vector<Route<Ipv6>>> list_routes6(NetlinkSocket& socket, int link_index) {
  return routes_by<Ipv6>(socket, link_index);
}

NetlinkRequest put_neighbour(int link_index, Ipv4 address, const Mac& mac) {
  return neighbour_request(link_index, raw(address), mac);
}

NetlinkRequest put_neighbour(int link_index, const Ipv6& address, const Mac& mac) {
  return neighbour_request(link_index, raw(address), mac);
}

NetlinkRequest put_forwarding(int link_index, const Mac& mac, Ipv4 machine) {
  return forwarding_request(RTM_NEWNEIGH, kPut, link_index, mac, machine);
}

NetlinkRequest delete_forwarding(int link_index, const Mac& mac, Ipv4 machine) {
  return forwarding_request(RTM_DELNEIGH, 0, link_index, mac, machine);
}

base::Result<std::vector<std::pair<Mac, Ipv4>>> list_forwarding(NetlinkSocket& socket, int link_index) {
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP);
  ndmsg filter{};
  filter.ndm_family = AF_BRIDGE;
  filter.ndm_ifindex = link_index;
  request.body(filter);
  ASSIGN_OR_RETURN(const auto messages, socket.query(std::move(request), "listing the machines behind a tunnel"));
  std::vector<std::pair<Mac, Ipv4>> machines;
  for (const auto& message : messages) {
    const auto body = message.body<ndmsg>();
    std::optional<Ipv4> machine;
    read(message.attribute(sizeof(body), NDA_DST), machine);
    const auto hardware = message.attribute(sizeof(body), NDA_LLADDR);
    Mac mac{};
    if (hardware.size() == mac.size()) std::ranges::copy(hardware, mac.begin());
    if (body.ndm_ifindex == link_index && machine) machines.emplace_back(mac, *machine);
  }
  return machines;
}

namespace {

// Asks again whenever something changed that `groups` tell of, for a second.
template <class Ready>
base::Result<> wait_until(Ready ready, std::uint32_t groups, const std::string& what) {
  ASSIGN_OR_RETURN(bool done, ready());
  if (done) return {};
  // Heard from here on; then asked again, so that a change between the two isn't missed.
  ASSIGN_OR_RETURN(NetlinkSocket changes, NetlinkSocket::open(groups));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (true) {
    ASSIGN_OR_RETURN(done, ready());
    if (done) return {};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return base::fail(base::Code::kDeadlineExceeded, what + " within a second");
    RETURN_IF_ERROR(changes.wait(static_cast<int>(left.count())));
  }
}

base::Result<bool> is_addressed(NetlinkSocket& socket, int link_index) {
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
  ifaddrmsg filter{};
  filter.ifa_family = AF_INET6;
  request.body(filter);
  ASSIGN_OR_RETURN(const auto messages, socket.query(std::move(request), "listing addresses"));
  return std::ranges::none_of(messages, [&](const NetlinkMessage& message) {
    const auto body = message.body<ifaddrmsg>();
    return static_cast<int>(body.ifa_index) == link_index && (body.ifa_flags & IFA_F_TENTATIVE) != 0;
  });
}

}  // namespace

base::Result<> wait_until_usable(NetlinkSocket& socket, const std::string& name) {
  const auto ready = [&]() -> base::Result<bool> {
    ASSIGN_OR_RETURN(const Link link, find_link(socket, name));
    return link.usable;
  };
  return wait_until(ready, RTMGRP_LINK, "the link " + name + " did not come up");
}

base::Result<> wait_until_addressed(NetlinkSocket& socket, int link_index) {
  const auto ready = [&] { return is_addressed(socket, link_index); };
  return wait_until(ready, RTMGRP_IPV6_IFADDR, "a task's IPv6 address could not be used");
}

}  // namespace orchion::node::networks
