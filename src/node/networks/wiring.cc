#include "node/networks/wiring.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "node/networks/namespaces.h"

namespace orchion::node::networks {
namespace {

constexpr Mac kHostMac{0x02, 0x6f, 0xff, 0xff, 0xff, 0xfe};

// Of a task's own routing tables, one for each of its routed networks; below those that the kernel names.
constexpr std::uint8_t kFirstTable = 100;

// Of the machine, on every link: fe80::1.
constexpr Ipv6 kHostLinkLocal{{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// Pairs for the legs that have none yet. A host's end that is there without its other end in this namespace belongs
// to nothing any more; one in a bridge was made by a version that had them.
base::Result<> make_pairs(NetlinkSocket& host, NetlinkSocket& inside, int namespace_fd, const std::vector<Leg>& legs) {
  NetlinkSteps steps;
  for (const auto& leg : legs) {
    if (leg.kind == Leg::Kind::kMacvlan) {
      if (find_link(inside, leg.task_link)) continue;
      ASSIGN_OR_RETURN(const Link parent, find_link(host, leg.parent));
      steps.add(make_macvlan({.parent = parent.index,
                              .name = leg.task_link,
                              .mac = mac_of(leg.v4.address),
                              .namespace_fd = namespace_fd,
                              .mtu = leg.mtu}),
                fmt::format("giving a task a place on {} with the address {}", leg.parent, to_string(leg.v4.address)));
      continue;
    }
    const auto own = find_link(host, leg.host_link);
    if (find_link(inside, leg.task_link) && own && !own->in_bridge) continue;
    steps.add_optional(delete_link(leg.host_link));
    steps.add(make_veth({.name = leg.host_link,
                         .mac = kHostMac,
                         .peer = leg.task_link,
                         .peer_mac = mac_of(leg.v4.address),
                         .namespace_fd = namespace_fd,
                         .mtu = leg.mtu}),
              "making the link " + leg.host_link);
  }
  return steps.run(host);
}

void add_routes(NetlinkSteps& steps, const Link& link, const Leg& leg, bool is_default) {
  const auto& v4 = leg.v4;
  const std::string action = "routing a task through " + to_string(v4.gateway);
  if (leg.kind != Leg::Kind::kMacvlan)
    steps.add(put_route(Route<Ipv4>{link.index, v4.gateway, 32, std::nullopt, v4.address}), action);
  if (leg.kind == Leg::Kind::kRouted)
    steps.add(put_route(Route<Ipv4>{link.index, v4.subnet, v4.prefix_length, v4.gateway, v4.address}), action);
  if (is_default) steps.add(put_route(Route<Ipv4>{link.index, std::nullopt, 0, v4.gateway, v4.address}), action);
  if (!leg.v6) return;
  const auto& v6 = *leg.v6;
  const std::string action6 = "routing a task through " + to_string(v6.gateway);
  steps.add(put_neighbour(link.index, kHostLinkLocal, kHostMac), action6);
  steps.add(put_route(Route<Ipv6>{link.index, v6.subnet, v6.prefix_length, kHostLinkLocal, v6.address}), action6);
  if (is_default) steps.add(put_route(Route<Ipv6>{link.index, std::nullopt, 0, kHostLinkLocal, v6.address}), action6);
}

// Answers go the way that questions came: clients on a macvlan's network reach published ports through the machine.
void add_way_back(NetlinkSteps& steps, const Link& link, const Leg& leg, std::uint8_t table) {
  const std::string action = "routing answers of a task through " + to_string(leg.v4.gateway);
  Route<Ipv4> way{link.index, std::nullopt, 0, leg.v4.gateway, leg.v4.address};
  way.table = table;
  steps.add(put_route(way), action);
  steps.add_optional(delete_rule(leg.v4.address, table));
  steps.add(add_rule(leg.v4.address, table), action);
}

base::Result<> configure_inside(NetlinkSocket& inside, const std::vector<Leg>& legs) {
  NetlinkSteps steps;
  steps.add(bring_up("lo"), "bringing up a task's loopback");
  const bool mixed = std::ranges::any_of(legs, [](const Leg& leg) { return leg.kind == Leg::Kind::kMacvlan; });
  std::uint8_t table = kFirstTable;
  bool routed = false;
  for (const auto& leg : legs) {
    ASSIGN_OR_RETURN(const Link link, find_link(inside, leg.task_link));
    steps.add_optional(without_ipv6(leg.task_link));
    if (leg.mtu != 0) steps.add(with_mtu(leg.task_link, leg.mtu), "setting up a task's " + leg.task_link);
    if (leg.kind == Leg::Kind::kMacvlan) steps.add_optional(with_announcement(leg.task_link));
    steps.add(bring_up(leg.task_link), "bringing up a task's " + leg.task_link);
    if (leg.kind != Leg::Kind::kNames)
      steps.add(add_address(link.index, leg.v4.address, leg.kind == Leg::Kind::kMacvlan ? leg.v4.prefix_length : 32),
                "giving a task the address " + to_string(leg.v4.address));
    if (leg.v6) {
      steps.add(add_address(link.index, leg.v6->address, 128),
                "giving a task the address " + to_string(leg.v6->address));
    }
    add_routes(steps, link, leg, leg.way_out && !routed);
    if (mixed && leg.kind == Leg::Kind::kRouted) add_way_back(steps, link, leg, table++);
    routed = routed || leg.way_out;
  }
  return steps.run(inside);
}

base::Result<> configure_outside(NetlinkSocket& host, const std::vector<Leg>& legs) {
  NetlinkSteps steps;
  for (const auto& leg : legs) {
    if (leg.kind == Leg::Kind::kMacvlan) continue;
    ASSIGN_OR_RETURN(const Link link, find_link(host, leg.host_link));
    const std::string action = "setting up " + leg.host_link;
    steps.add_optional(without_ipv6(leg.host_link));
    steps.add(as_gateway(leg.host_link), action);
    if (leg.mtu != 0) steps.add(with_mtu(leg.host_link, leg.mtu), action);
    steps.add(bring_up(leg.host_link), "bringing up " + leg.host_link);
    steps.add(add_address(link.index, leg.v4.gateway, 32), action);
    steps.add(put_route(Route<Ipv4>{link.index, leg.v4.address, 32, std::nullopt, leg.v4.gateway}), action);
    if (!leg.v6) continue;
    steps.add(add_address(link.index, kHostLinkLocal, 64), action);
    steps.add(add_address(link.index, leg.v6->gateway, 128), action);
    steps.add(put_neighbour(link.index, leg.v6->address, mac_of(leg.v4.address)), action);
    steps.add(put_route(Route<Ipv6>{link.index, leg.v6->address, 128, std::nullopt, leg.v6->gateway}), action);
  }
  return steps.run(host);
}

// The host's ends last: then the carrier comes with them, and all that is left is to see that queues run.
base::Result<> open_up(NetlinkSocket& host, NetlinkSocket& inside, const std::vector<Leg>& legs) {
  RETURN_IF_ERROR(configure_outside(host, legs));
  for (const auto& leg : legs) {
    if (leg.kind == Leg::Kind::kMacvlan) {
      // A cable that isn't plugged in holds no task up.
      const auto usable = wait_until_usable(inside, leg.task_link);
      if (!usable && usable.error().code != base::Code::kDeadlineExceeded) return std::unexpected(usable.error());
      continue;
    }
    RETURN_IF_ERROR(wait_until_usable(inside, leg.task_link));
    RETURN_IF_ERROR(wait_until_usable(host, leg.host_link));
    if (!leg.v6) continue;
    for (const auto& [socket, name] : {std::pair(&inside, leg.task_link), std::pair(&host, leg.host_link)}) {
      ASSIGN_OR_RETURN(const Link link, find_link(*socket, name));
      RETURN_IF_ERROR(wait_until_addressed(*socket, link.index));
    }
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

// 1: routes are learned while nothing is forwarded; 2: also then.
base::Result<> keep_learning_routes() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/sys/net/ipv6/conf", error)) {
    const std::string path = entry.path() / "accept_ra";
    const auto value = base::read_file(path);
    if (value && *value == "1\n") RETURN_IF_ERROR(write_setting(path, "2"));
  }
  return {};
}

}  // namespace

void NetlinkSteps::add(NetlinkRequest request, std::string action) {
  requests_.push_back(std::move(request));
  actions_.push_back(std::move(action));
}

base::Result<> NetlinkSteps::run(NetlinkSocket& socket) {
  if (requests_.empty()) return {};
  ASSIGN_OR_RETURN(const auto errors, socket.run(requests_));
  for (std::size_t i = 0; i < errors.size(); ++i) {
    if (errors[i] != 0 && !actions_[i].empty()) return base::fail_errno(errors[i], actions_[i]);
  }
  return {};
}

base::Result<> forward_ipv4() {
  return write_setting("/proc/sys/net/ipv4/ip_forward", "1");
}

base::Result<> forward_ipv6() {
  const std::string path = "/proc/sys/net/ipv6/conf/all/forwarding";
  const auto now = base::read_file(path);
  if (!now) return base::fail(base::Code::kFailedPrecondition, "this machine has IPv6 switched off");
  if (*now == "1\n") return {};
  RETURN_IF_ERROR(keep_learning_routes());
  return write_setting(path, "1");
}

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

base::Result<> unwire_task(const std::filesystem::path& path) {
  if (!is_namespace(path)) return {};
  NamespaceWork work;
  work.inside = [](int) -> base::Result<> {
    ASSIGN_OR_RETURN(NetlinkSocket inside, NetlinkSocket::open());
    ASSIGN_OR_RETURN(const auto links, list_links(inside, "eth"));
    for (const auto& link : links) RETURN_IF_ERROR(delete_if_there(inside, link.name));
    return {};
  };
  return run_in_namespace(path, std::move(work));
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
