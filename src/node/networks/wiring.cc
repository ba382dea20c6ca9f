#include "node/networks/wiring.h"

#include <cerrno>
#include <cstdio>
#include <optional>

#include "base/file.h"
#include "node/networks/namespaces.h"

namespace orchion::node::networks {
namespace {

// Requests in order, each with what it does for the message of its failure.
class Steps {
 public:
  void add(NetlinkRequest request, std::string action) {
    requests_.push_back(std::move(request));
    actions_.push_back(std::move(action));
  }
  void add_optional(NetlinkRequest request) { add(std::move(request), ""); }

  base::Result<> run(NetlinkSocket& socket) {
    if (requests_.empty()) return {};
    ASSIGN_OR_RETURN(const auto errors, socket.run(requests_));
    for (std::size_t i = 0; i < errors.size(); ++i) {
      if (errors[i] != 0 && !actions_[i].empty()) return base::fail_errno(errors[i], actions_[i]);
    }
    return {};
  }

 private:
  std::vector<NetlinkRequest> requests_;
  std::vector<std::string> actions_;
};

// Pairs for the legs that have none yet. A host's end that is there without its other end in this namespace belongs
// to nothing any more.
base::Result<> make_pairs(NetlinkSocket& host, NetlinkSocket& inside, int namespace_fd, const std::vector<Leg>& legs) {
  Steps steps;
  for (const auto& leg : legs) {
    if (find_link(inside, leg.task_link)) continue;
    ASSIGN_OR_RETURN(const Link bridge, find_link(host, leg.bridge));
    steps.add_optional(delete_link(leg.host_link));
    steps.add(make_veth({.name = leg.host_link,
                         .bridge_index = bridge.index,
                         .peer = leg.task_link,
                         .peer_mac = mac_of(leg.address),
                         .namespace_fd = namespace_fd,
                         .mtu = leg.mtu}),
              "making the link " + leg.host_link);
  }
  return steps.run(host);
}

base::Result<> configure_inside(NetlinkSocket& inside, const std::vector<Leg>& legs) {
  Steps steps;
  steps.add(bring_up("lo"), "bringing up a task's loopback");
  bool routed = false;
  for (const auto& leg : legs) {
    ASSIGN_OR_RETURN(const Link link, find_link(inside, leg.task_link));
    steps.add_optional(without_ipv6(leg.task_link));
    if (leg.mtu != 0) steps.add(with_mtu(leg.task_link, leg.mtu), "setting up a task's " + leg.task_link);
    steps.add(bring_up(leg.task_link), "bringing up a task's " + leg.task_link);
    steps.add(add_address(link.index, leg.address, leg.subnet), "giving a task the address " + to_string(leg.address));
    if (leg.way_out && !routed) {
      steps.add(default_route(link.index, leg.gateway), "routing a task through " + to_string(leg.gateway));
      routed = true;
    }
  }
  return steps.run(inside);
}

// The host's ends last: then the carrier comes with them, and all that is left is to see that queues run.
base::Result<> open_up(NetlinkSocket& host, NetlinkSocket& inside, const std::vector<Leg>& legs) {
  Steps steps;
  for (const auto& leg : legs) {
    steps.add_optional(without_ipv6(leg.host_link));
    if (leg.mtu != 0) steps.add(with_mtu(leg.host_link, leg.mtu), "setting up " + leg.host_link);
    if (leg.hairpin) steps.add(with_hairpin(leg.host_link), "setting up " + leg.host_link);
    steps.add(bring_up(leg.host_link), "bringing up " + leg.host_link);
  }
  RETURN_IF_ERROR(steps.run(host));
  for (const auto& leg : legs) {
    RETURN_IF_ERROR(wait_until_usable(inside, leg.task_link));
    RETURN_IF_ERROR(wait_until_usable(host, leg.host_link));
    RETURN_IF_ERROR(wait_until_usable(host, leg.bridge));
  }
  return {};
}

base::Result<> write_setting(const std::string& path, const std::string& value) {
  const auto old = base::read_file(path);
  if (old && *old == value + "\n") return {};
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return base::fail_errno(errno, "opening " + path);
  const bool written = std::fputs(value.c_str(), file) >= 0;
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed) return base::fail_errno(errno, "writing " + path);
  return {};
}

// False where there is no such link.
base::Result<bool> run_if_there(NetlinkSocket& socket, NetlinkRequest request, const std::string& action) {
  ASSIGN_OR_RETURN(const auto errors, socket.run(std::span(&request, 1)));
  if (errors[0] == 0) return true;
  if (errors[0] == ENODEV) return false;
  return base::fail_errno(errors[0], action);
}

}  // namespace

base::Result<> wire_task(const std::filesystem::path& path, const std::vector<Leg>& legs) {
  std::optional<NetlinkSocket> host;
  NamespaceWork work;
  work.before = [&]() -> base::Result<> {
    ASSIGN_OR_RETURN(host, NetlinkSocket::open());
    return {};
  };
  work.inside = [&](int namespace_fd) -> base::Result<> {
    ASSIGN_OR_RETURN(NetlinkSocket inside, NetlinkSocket::open());
    RETURN_IF_ERROR(make_pairs(*host, inside, namespace_fd, legs));
    RETURN_IF_ERROR(configure_inside(inside, legs));
    return open_up(*host, inside, legs);
  };
  return run_in_namespace(path, std::move(work));
}

base::Result<> ensure_bridge(const BridgePlan& plan) {
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  auto link = find_link(socket, plan.name);
  if (!link) {
    RETURN_IF_ERROR(socket.run_one(make_bridge(plan.name, mac_of(plan.gateway)), "making the bridge " + plan.name));
    link = find_link(socket, plan.name);
    if (!link) return std::unexpected(link.error());
  }
  // Published ports on 127.0.0.1 leave and come back by the bridge; and packets go from one bridge to another place.
  RETURN_IF_ERROR(write_setting("/proc/sys/net/ipv4/conf/" + plan.name + "/route_localnet", "1"));
  RETURN_IF_ERROR(write_setting("/proc/sys/net/ipv4/ip_forward", "1"));
  ASSIGN_OR_RETURN(const auto addresses, list_addresses(socket, link->index));
  Steps steps;
  steps.add_optional(without_ipv6(plan.name));
  if (plan.mtu != 0) steps.add(with_mtu(plan.name, plan.mtu), "setting up " + plan.name);
  for (const auto& address : addresses) {
    if (address == LinkAddress{plan.gateway, plan.subnet.prefix_length}) continue;
    steps.add(delete_address(link->index, address), "removing an old address of " + plan.name);
  }
  steps.add(add_address(link->index, plan.gateway, plan.subnet), "giving " + plan.name + " its address");
  steps.add(bring_up(plan.name), "bringing up " + plan.name);
  return steps.run(socket);
}

base::Result<bool> delete_if_there(NetlinkSocket& socket, const std::string& link) {
  return run_if_there(socket, delete_link(link), "removing the link " + link);
}

base::Result<bool> mark_if_there(NetlinkSocket& socket, const std::string& link, std::uint32_t removal_group) {
  return run_if_there(socket, move_to_group(link, removal_group), "removing the link " + link);
}

base::Result<> delete_marked(std::uint32_t removal_group) {
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  RETURN_IF_ERROR(run_if_there(socket, delete_group(removal_group), "removing the links of ended tasks"));
  return {};
}

}  // namespace orchion::node::networks
