#include "node/networks/links.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <chrono>
#include <cstring>

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
  if (!name.empty()) link.name.assign(name.begin(), name.end() - 1);
  link.up = (info.ifi_flags & IFF_UP) != 0;
  link.usable = !state.empty() && state[0] == kOperationalUp;
  return link;
}

ifaddrmsg address_body(int link_index, int prefix_length) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  body.ifa_index = static_cast<std::uint32_t>(link_index);
  return body;
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

base::Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& socket, int link_index) {
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
  request.body(address_body(link_index, 0));
  ASSIGN_OR_RETURN(const auto messages, socket.query(std::move(request), "listing addresses"));
  std::vector<LinkAddress> addresses;
  for (const auto& message : messages) {
    const auto body = message.body<ifaddrmsg>();
    const auto local = message.attribute(sizeof(body), IFA_LOCAL);
    if (static_cast<int>(body.ifa_index) != link_index || local.size() != sizeof(std::uint32_t)) continue;
    std::uint32_t raw = 0;
    std::memcpy(&raw, local.data(), sizeof(raw));
    addresses.push_back({Ipv4{ntohl(raw)}, body.ifa_prefixlen});
  }
  return addresses;
}

NetlinkRequest make_bridge(const std::string& name, const Mac& mac) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, name);
  // Given an address a bridge keeps it; else it takes its ports', and changes with them.
  request.value(IFLA_ADDRESS, mac);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "bridge");
  return request.close(info);
}

NetlinkRequest make_veth(const VethPlan& plan) {
  NetlinkRequest request = link_request(RTM_NEWLINK, kCreate);
  request.text(IFLA_IFNAME, plan.name);
  request.value(IFLA_MASTER, plan.bridge_index);
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

NetlinkRequest without_ipv6(const std::string& name) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0);
  request.text(IFLA_IFNAME, name);
  const auto families = request.open(IFLA_AF_SPEC);
  const auto inet6 = request.open(AF_INET6);
  request.value(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE});
  return request.close(inet6).close(families);
}

NetlinkRequest bring_up(const std::string& name) {
  NetlinkRequest request = link_request(RTM_SETLINK, 0, IFF_UP);
  return request.text(IFLA_IFNAME, name);
}

NetlinkRequest with_hairpin(const std::string& name) {
  NetlinkRequest request = link_request(RTM_NEWLINK, 0);
  request.text(IFLA_IFNAME, name);
  const auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_SLAVE_KIND, "bridge");
  const auto data = request.open(IFLA_INFO_SLAVE_DATA);
  request.value(IFLA_BRPORT_MODE, std::uint8_t{1});
  return request.close(data).close(info);
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

NetlinkRequest add_address(int link_index, Ipv4 address, const Subnet& subnet) {
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  request.body(address_body(link_index, subnet.prefix_length));
  request.value(IFA_LOCAL, htonl(address.value));
  request.value(IFA_ADDRESS, htonl(address.value));
  return request.value(IFA_BROADCAST, htonl(subnet.broadcast().value));
}

NetlinkRequest delete_address(int link_index, LinkAddress address) {
  NetlinkRequest request(RTM_DELADDR, 0);
  request.body(address_body(link_index, address.prefix_length));
  return request.value(IFA_LOCAL, htonl(address.address.value));
}

NetlinkRequest default_route(int link_index, Ipv4 gateway) {
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  request.body(body);
  request.value(RTA_GATEWAY, htonl(gateway.value));
  return request.value(RTA_OIF, link_index);
}

base::Result<> wait_until_usable(NetlinkSocket& socket, const std::string& name) {
  ASSIGN_OR_RETURN(Link link, find_link(socket, name));
  if (link.usable) return {};
  // Heard from here on; then asked again, so that a change between the two isn't missed.
  ASSIGN_OR_RETURN(NetlinkSocket changes, NetlinkSocket::open(RTMGRP_LINK));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (true) {
    ASSIGN_OR_RETURN(link, find_link(socket, name));
    if (link.usable) return {};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return base::fail(base::Code::kDeadlineExceeded, "the link " + name + " did not come up within a second");
    }
    RETURN_IF_ERROR(changes.wait(static_cast<int>(left.count())));
  }
}

}  // namespace orchion::node::networks
