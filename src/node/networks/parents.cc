#include "node/networks/parents.h"

#include <cerrno>
#include <charconv>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "node/networks/wiring.h"

namespace orchion::node::networks {

namespace {

constexpr std::uint16_t kVlanMax = 4094;     // IEEE 802.1Q
constexpr std::size_t kAliasBytesMax = 255;  // the kernel's

base::Result<> set_networks(NetlinkSocket& socket, const Link& link, const std::string& mark,
                            const std::set<std::string>& networks) {
  if (networks.empty()) {
    RETURN_IF_ERROR(delete_if_there(socket, link.name));
    return {};
  }
  const auto alias = alias_of(mark, networks);
  if (alias.size() > kAliasBytesMax)
    return base::fail(base::Code::kResourceExhausted,
                      fmt::format("{} networks on {} are more than can be noted on it: make that interface on the "
                                  "machine yourself",
                                  networks.size(), link.name));
  return socket.run_one(with_alias(link.name, alias), "noting whose " + link.name + " is");
}

base::Result<> make_vlan_for(NetlinkSocket& socket, const std::string& mark, const std::string& name,
                             const std::string& network_uid) {
  const auto vlan = vlan_of(name);
  const auto base = find_link(socket, vlan.base);
  if (!base && base.error().code != base::Code::kNotFound) return std::unexpected(base.error());
  if (!base || vlan.id == 0)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("this node has no interface {}, which the network is on: keep its services to nodes "
                                  "that have it by a placement constraint, or name another `parent`",
                                  name));
  NetlinkSteps steps;
  steps.add(make_vlan(name, base->index, vlan.id), fmt::format("making the VLAN {} of {}", vlan.id, vlan.base));
  steps.add(with_alias(name, alias_of(mark, {network_uid})), "noting whose " + name + " is");
  steps.add_optional(without_ipv6(name));
  steps.add(bring_up(name), "bringing up " + name);
  return steps.run(socket);
}

// `keep` says which of a VLAN's networks stay.
base::Result<> keep_parents(NetlinkSocket& socket, const std::string& mark,
                            const std::function<bool(const std::string&)>& keep) {
  ASSIGN_OR_RETURN(const auto links, list_links(socket, ""));
  for (const auto& link : links) {
    const auto networks = networks_of_alias(mark, link.alias);
    auto kept = networks;
    std::erase_if(kept, [&](const std::string& uid) { return !keep(uid); });
    if (kept.size() != networks.size()) RETURN_IF_ERROR(set_networks(socket, link, mark, kept));
  }
  return {};
}

}  // namespace

std::set<std::string> networks_of_alias(const std::string& mark, const std::string& alias) {
  std::set<std::string> networks;
  if (!alias.starts_with(mark + " ")) return networks;
  for (std::size_t at = mark.size() + 1; at < alias.size();) {
    const auto end = std::min(alias.find(' ', at), alias.size());
    if (end > at) networks.insert(alias.substr(at, end - at));
    at = end + 1;
  }
  return networks;
}

std::string alias_of(const std::string& mark, const std::set<std::string>& networks) {
  return fmt::format("{} {}", mark, fmt::join(networks, " "));
}

VlanName vlan_of(const std::string& name) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return {name};
  VlanName vlan{name.substr(0, dot)};
  const auto* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + dot + 1, end, vlan.id);
  if (parsed.ec != std::errc() || parsed.ptr != end || vlan.id == 0 || vlan.id > kVlanMax) return {name};
  return vlan;
}

base::Result<> ensure_parent(NetlinkSocket& socket, const std::string& mark, const std::string& name,
                             const std::string& network_uid) {
  const auto parent = find_link(socket, name);
  if (!parent && parent.error().code == base::Code::kNotFound) return make_vlan_for(socket, mark, name, network_uid);
  if (!parent) return std::unexpected(parent.error());
  auto networks = networks_of_alias(mark, parent->alias);
  if (!networks.empty()) {
    if (networks.insert(network_uid).second) RETURN_IF_ERROR(set_networks(socket, *parent, mark, networks));
    return socket.run_one(bring_up(name), "bringing up " + name);
  }
  if (parent->up) return {};
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("the interface {}, which the network is on, is down on this node: bring it up with `ip "
                                "link set {} up`",
                                name, name));
}

base::Result<> sweep_parents(NetlinkSocket& socket, const std::string& mark, const std::set<std::string>& networks) {
  return keep_parents(socket, mark, [&](const std::string& uid) { return networks.contains(uid); });
}

base::Result<> leave_parents(NetlinkSocket& socket, const std::string& mark, const std::string& network_uid) {
  return keep_parents(socket, mark, [&](const std::string& uid) { return uid != network_uid; });
}

}  // namespace orchion::node::networks
