#include "node/networks/kernel_networks.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include <fmt/format.h>

#include "base/file.h"
#include "node/networks/namespaces.h"
#include "node/networks/parents.h"

namespace orchion::node::networks {

// While one lives, others wait that are about the same task.
class KernelNetworks::TaskTurn {
 public:
  TaskTurn(KernelNetworks& owner, const std::string& task_uid) : owner_(owner), task_uid_(task_uid) {
    std::unique_lock lock(owner_.mutex_);
    owner_.task_done_.wait(lock, [&] { return !owner_.busy_tasks_.contains(task_uid_); });
    owner_.busy_tasks_.insert(task_uid_);
  }
  ~TaskTurn() {
    {
      const std::lock_guard lock(owner_.mutex_);
      owner_.busy_tasks_.erase(task_uid_);
    }
    owner_.task_done_.notify_all();
  }
  TaskTurn(const TaskTurn&) = delete;
  TaskTurn& operator=(const TaskTurn&) = delete;

 private:
  KernelNetworks& owner_;
  const std::string task_uid_;
};

namespace {

constexpr Ipv4 kLoopbackAddress{0x7f000001};

// A uid becomes a file's name: no other folder, no hidden file.
base::Result<> check_uid(const std::string& uid) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (!uid.empty() && uid.size() <= 128 && uid.find_first_not_of(kAllowed) == std::string::npos) return {};
  return base::fail(base::Code::kInvalidArgument, fmt::format("\"{}\" can't be the uid of a task", uid));
}

// All host links of one task begin so.
std::string link_stem(const Names& names, const std::string& task_uid) {
  std::string name = names.veth(task_uid, 0);
  name.pop_back();
  return name;
}

// A range with its gateway in it, as tasks' links need it.
base::Result<LegAddress<Ipv6>> read_range6(const NetworkConfig& config) {
  const auto slash = config.subnet6.find('/');
  LegAddress<Ipv6> range;
  ASSIGN_OR_RETURN(range.subnet, parse_ipv6(std::string_view(config.subnet6).substr(0, slash)));
  ASSIGN_OR_RETURN(range.gateway, parse_ipv6(config.gateway6));
  if (slash != std::string::npos) range.prefix_length = std::atoi(config.subnet6.c_str() + slash + 1);
  if (range.prefix_length >= 16 && range.prefix_length <= 126) return range;
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("\"{}\" is not a subnet: write it as fd12:3456::/64", config.subnet6));
}

bool is_for_tasks(const LegAddress<Ipv4>& range, Ipv4 address) {
  return Subnet{range.subnet, range.prefix_length}.contains(address) && address != range.gateway;
}

base::Result<std::vector<RemoteTask>> read_remotes(const LegAddress<Ipv4>& range, const std::vector<Remote>& remotes) {
  std::vector<RemoteTask> tasks;
  for (const auto& remote : remotes) {
    RemoteTask task;
    ASSIGN_OR_RETURN(task.address, parse_ipv4(remote.address));
    ASSIGN_OR_RETURN(task.machine, parse_ipv4(remote.node));
    if (!remote.address6.empty()) {
      ASSIGN_OR_RETURN(task.address6, parse_ipv6(remote.address6));
    }
    if (is_for_tasks(range, task.address)) tasks.push_back(task);
  }
  return tasks;
}

}  // namespace

KernelNetworks::KernelNetworks(std::string cluster_short_id, std::filesystem::path run_folder,
                               PublishedPorts::HoldApart hold_apart, std::shared_ptr<Tunnels> tunnels)
    : names_(cluster_short_id),
      is_apart_(hold_apart != nullptr),
      folder_(run_folder / "netns"),
      tunnels_(std::move(tunnels)),
      firewall_({names_.table(), names_.prefix(), names_.veth_prefix(), names_.overlay(), names_.tunnel(),
                 hold_apart != nullptr}),
      ports_(firewall_, std::move(hold_apart)) {}

base::Result<KernelNetworks::Network> KernelNetworks::read_network(const NetworkConfig& config) {
  Network network{.internal = config.internal, .mtu = config.mtu, .parent = config.parent};
  ASSIGN_OR_RETURN(const Subnet subnet, parse_subnet(config.subnet));
  network.v4.subnet = subnet.base;
  network.v4.prefix_length = subnet.prefix_length;
  if (!config.parent.empty() && config.gateway.empty()) return network;
  ASSIGN_OR_RETURN(network.v4.gateway, parse_ipv4(config.gateway));
  if (!subnet.contains(network.v4.gateway)) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the gateway {} is not in the subnet {}", config.gateway, config.subnet));
  }
  if (!config.subnet6.empty()) {
    ASSIGN_OR_RETURN(network.v6, read_range6(config));
  }
  return network;
}

base::Result<> KernelNetworks::set_address(const std::string& address, const std::string& cluster_id) {
  const std::lock_guard turn(networks_turn_);
  std::optional<Overlay> overlay;
  if (!address.empty()) {
    overlay.emplace();
    ASSIGN_OR_RETURN(overlay->machine, parse_ipv4(address));
    overlay->number = overlay_number(cluster_id);
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
    ASSIGN_OR_RETURN(const Link way, link_with_address(socket, overlay->machine));
    overlay->mtu = overlay_mtu(way.mtu, tunnels_ != nullptr);
  }
  {
    const std::lock_guard lock(mutex_);
    overlay_ = overlay;
    address_said_ = true;
  }
  ASSIGN_OR_RETURN(const bool needed, is_needed());
  return needed ? lead_to_machines() : base::Result<>{};
}

base::Result<KernelNetworks::Around> KernelNetworks::read_machines(const Machines& machines) {
  Around around{.said = true};
  if (!machines.host_address.empty()) {
    ASSIGN_OR_RETURN(around.host, parse_ipv4(machines.host_address));
  }
  if (!machines.tunnel_address.empty()) {
    ASSIGN_OR_RETURN(around.tunnel, parse_ipv4(machines.tunnel_address));
  }
  for (const auto& peer : machines.peers) {
    if (peer.address.empty()) continue;
    Neighbour neighbour;
    ASSIGN_OR_RETURN(neighbour.machine, parse_ipv4(peer.address));
    if (!peer.host_address.empty()) {
      ASSIGN_OR_RETURN(neighbour.host, parse_ipv4(peer.host_address));
    }
    if (peer.tunnel) {
      auto& tunnel = neighbour.tunnel.emplace();
      ASSIGN_OR_RETURN(tunnel.address, parse_ipv4(peer.tunnel->address));
      ASSIGN_OR_RETURN(tunnel.key, parse_wireguard_key(peer.tunnel->public_key));
      ASSIGN_OR_RETURN(tunnel.endpoint, parse_endpoint(peer.tunnel->endpoint));
    }
    around.neighbours.push_back(neighbour);
  }
  return around;
}

base::Result<> KernelNetworks::set_machines(const Machines& machines) {
  ASSIGN_OR_RETURN(auto around, read_machines(machines));
  const std::lock_guard turn(networks_turn_);
  {
    const std::lock_guard lock(mutex_);
    around_ = std::move(around);
  }
  ASSIGN_OR_RETURN(const bool needed, is_needed());
  return needed ? lead_to_machines() : base::Result<>{};
}

// What comes here through a published port goes on through tunnels too, also where no network is.
base::Result<bool> KernelNetworks::is_needed() {
  {
    const std::lock_guard lock(mutex_);
    if (!networks_.empty()) return true;
  }
  return ports_.has_distant();
}

// Returns who is reached through one.
base::Result<TunnelEnds> KernelNetworks::lead_tunnels(const Overlay& overlay, const Around& around) {
  TunnelEnds ends;
  if (!tunnels_) return ends;
  std::vector<TunnelPeer> peers;
  for (const auto& neighbour : around.neighbours) {
    if (!neighbour.tunnel) continue;
    ends[neighbour.machine] = neighbour.tunnel->address;
    peers.push_back(*neighbour.tunnel);
  }
  if (around.tunnel) {
    RETURN_IF_ERROR(tunnels_->lead(*around.tunnel, overlay.machine, std::move(peers)));
  } else if (around.said) {
    RETURN_IF_ERROR(tunnels_->remove());
  }
  return ends;
}

base::Result<> KernelNetworks::ensure_network(const NetworkConfig& config) {
  ASSIGN_OR_RETURN(Network network, read_network(config));
  const std::lock_guard turn(networks_turn_);
  if (!config.parent.empty()) return ensure_macvlan(config, std::move(network));
  RETURN_IF_ERROR(forward_ipv4());
  if (network.v6) RETURN_IF_ERROR(forward_ipv6());
  // The rules first: at no moment is a network open that should be closed.
  RETURN_IF_ERROR(firewall_.put_network(
      config.uid, {config.subnet, config.gateway, config.subnet6, config.gateway6, config.internal}));
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = networks_.find(config.uid); known != networks_.end())
      network.remotes = std::move(known->second.remotes);
    networks_.insert_or_assign(config.uid, std::move(network));
  }
  // Whatever is in the way there, tasks here have their network: who says where the others are hears of it.
  std::ignore = lead_to_machines();
  return {};
}

// Nothing of it passes this machine: there are neither rules nor routes.
base::Result<> KernelNetworks::ensure_macvlan(const NetworkConfig& config, Network network) {
  if (is_apart_)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("this node's agent has no root, and so no access to its interface {}: run it as root "
                                  "for macvlan networks",
                                  config.parent));
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  RETURN_IF_ERROR(ensure_parent(socket, names_.table(), config.parent, config.uid));
  const std::lock_guard lock(mutex_);
  networks_.insert_or_assign(config.uid, std::move(network));
  return {};
}

// Those that are named; and of networks that nobody spoke of yet whom a former process led to.
base::Result<std::vector<RemoteTask>> KernelNetworks::wanted_remotes(NetlinkSocket& socket) {
  ASSIGN_OR_RETURN(const auto ruled, firewall_.networks());
  ASSIGN_OR_RETURN(const auto present, list_remotes(socket, names_.overlay()));
  std::vector<RemoteTask> tasks;
  std::vector<Subnet> unspoken;
  const std::lock_guard lock(mutex_);
  for (const auto& [uid, rules] : ruled) {
    const auto known = networks_.find(uid);
    if (known != networks_.end() && known->second.remotes) {
      tasks.insert(tasks.end(), known->second.remotes->begin(), known->second.remotes->end());
    } else if (const auto subnet = parse_subnet(rules.subnet)) {
      unspoken.push_back(*subnet);
    }
  }
  for (const auto& task : present) {
    const auto has_it = [&](const Subnet& subnet) { return subnet.contains(task.address); };
    if (std::ranges::any_of(unspoken, has_it)) tasks.push_back(task);
  }
  return tasks;
}

// Nobody is listened to before it is named here.
base::Result<> KernelNetworks::lead_to_machines() {
  std::optional<Overlay> overlay;
  Around around;
  {
    const std::lock_guard lock(mutex_);
    if (!address_said_) return {};
    overlay = overlay_;
    around = around_;
  }
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  if (!overlay) {
    RETURN_IF_ERROR(delete_if_there(socket, names_.overlay()));
    if (tunnels_) RETURN_IF_ERROR(tunnels_->remove());
    return firewall_.set_peers({});
  }
  ASSIGN_OR_RETURN(auto tasks, wanted_remotes(socket));
  ASSIGN_OR_RETURN(const auto ends, lead_tunnels(*overlay, around));
  Peers peers{overlay->number, {}, {}};
  for (const auto& each : around.neighbours) {
    if (!each.host) continue;
    peers.hosts[to_string(*each.host)] = to_string(mac_of(each.machine));
    tasks.push_back({*each.host, std::nullopt, each.machine});
  }
  for (const auto& task : tasks) {
    const auto end = ends.find(task.machine);
    peers.machines.insert(to_string(end == ends.end() ? task.machine : end->second));
  }
  RETURN_IF_ERROR(firewall_.set_peers(peers));
  RETURN_IF_ERROR(
      ensure_overlay(socket, {names_.overlay(), overlay->number, overlay->machine, around.host, tunnels_ != nullptr}));
  return route_to(socket, names_.overlay(), tasks, ends);
}

base::Result<> KernelNetworks::set_remotes(const std::string& network_uid, const std::vector<Remote>& remotes) {
  const std::lock_guard turn(networks_turn_);
  {
    const std::lock_guard lock(mutex_);
    const auto found = networks_.find(network_uid);
    if (found == networks_.end()) return {};
    ASSIGN_OR_RETURN(found->second.remotes, read_remotes(found->second.v4, remotes));
  }
  return lead_to_machines();
}

base::Result<> KernelNetworks::set_virtual_addresses(const std::vector<VirtualAddress>& addresses) {
  VirtualAddresses wanted;
  for (const auto& each : addresses) wanted[each.address] = each.members;
  const std::lock_guard turn(networks_turn_);
  RETURN_IF_ERROR(firewall_.set_virtual(wanted));
  return lead_machine_to(addresses);
}

// A connection needs a route before it can be translated. This one leads nowhere: who finds nobody behind the address
// has none. Its metric says whose it is; from 127.0.0.1 the way out chooses the address.
base::Result<> KernelNetworks::lead_machine_to(const std::vector<VirtualAddress>& addresses) {
  std::set<Ipv4> wanted;
  for (const auto& each : addresses) {
    if (const auto address = parse_ipv4(each.address); address && !each.members.empty()) wanted.insert(*address);
  }
  const std::lock_guard lock(routes_mutex_);
  if (virtual_routes_ == wanted) return {};
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  ASSIGN_OR_RETURN(const Link loopback, find_link(socket, "lo"));
  if (!virtual_routes_) {
    ASSIGN_OR_RETURN(const auto present, list_routes(socket, loopback.index));
    virtual_routes_.emplace();
    for (const auto& route : present) {
      if (route.metric == names_.route_metric()) virtual_routes_->insert(*route.to);
    }
  }
  NetlinkSteps steps;
  Route<Ipv4> route{
      .link_index = loopback.index, .prefix_length = 32, .source = kLoopbackAddress, .metric = names_.route_metric()};
  for (const auto address : *virtual_routes_) {
    route.to = address;
    if (!wanted.contains(address)) steps.add_optional(delete_route(route));
  }
  for (const auto address : wanted) {
    route.to = address;
    if (!virtual_routes_->contains(address))
      steps.add(put_route(route), "leading this machine to " + to_string(address));
  }
  virtual_routes_.reset();  // until it is done
  RETURN_IF_ERROR(steps.run(socket));
  virtual_routes_ = std::move(wanted);
  return {};
}

base::Result<> KernelNetworks::remove_network(const std::string& uid) {
  const std::lock_guard turn(networks_turn_);
  {
    const std::lock_guard lock(mutex_);
    networks_.erase(uid);
  }
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  RETURN_IF_ERROR(leave_parents(socket, names_.table(), uid));
  RETURN_IF_ERROR(firewall_.remove_network(uid));
  std::ignore = lead_to_machines();  // likewise
  return remove_if_unused();
}

// Without a network there is nothing to keep on the machine; the next one makes it anew.
base::Result<> KernelNetworks::remove_if_unused() {
  {
    const std::lock_guard lock(mutex_);
    if (!networks_.empty()) return {};
  }
  ASSIGN_OR_RETURN(const auto namespaces, namespace_files());
  ASSIGN_OR_RETURN(const bool distant, ports_.has_distant());
  ASSIGN_OR_RETURN(const auto ruled, firewall_.networks());
  return namespaces.empty() && !distant && ruled.empty() ? remove_all() : base::Result<>{};
}

base::Result<> KernelNetworks::set_distant_ports(std::vector<DistantPort> ports) {
  const std::lock_guard turn(networks_turn_);
  const bool none = ports.empty();
  // Nothing before and nothing now: the table isn't made for that.
  ASSIGN_OR_RETURN(const bool before, ports_.has_distant());
  if (none && !before) return {};
  if (!none) RETURN_IF_ERROR(forward_ipv4());
  RETURN_IF_ERROR(ports_.set_distant(std::move(ports)));
  if (none) return remove_if_unused();
  return tunnels_ ? lead_to_machines() : base::Result<>{};
}

base::Result<Leg> KernelNetworks::plan_leg(const Attachment& attachment) const {
  const auto found = networks_.find(attachment.network_uid);
  if (found == networks_.end()) {
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the network {} is not set up on this machine", attachment.network_uid));
  }
  const Network& network = found->second;
  const bool macvlan = !network.parent.empty();
  Leg leg{.kind = macvlan ? Leg::Kind::kMacvlan : Leg::Kind::kRouted,
          .host_link = {},
          .task_link = {},
          .parent = network.parent,
          .v4 = network.v4,
          .v6 = network.v6,
          .way_out = macvlan ? network.v4.gateway != Ipv4{} : !network.internal,
          .mtu = network.mtu};
  if (leg.mtu == 0 && overlay_ && !macvlan) leg.mtu = overlay_->mtu;
  ASSIGN_OR_RETURN(leg.v4.address, parse_ipv4(attachment.address));
  if (!is_for_tasks(network.v4, leg.v4.address)) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is no address for a task in its network", attachment.address));
  }
  if (attachment.address6.empty()) leg.v6.reset();
  if (leg.v6) {
    ASSIGN_OR_RETURN(leg.v6->address, parse_ipv6(attachment.address6));
  }
  return leg;
}

base::Result<std::vector<Leg>> KernelNetworks::plan_legs(const TaskNetwork& task) {
  if (task.attachments.size() > kAttachmentsMax) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("a task can be in {} networks at most", kAttachmentsMax));
  }
  const std::lock_guard lock(mutex_);
  std::vector<Leg> legs;
  std::size_t on_machine = 0;
  for (const auto& attachment : task.attachments) {
    ASSIGN_OR_RETURN(auto leg, plan_leg(attachment));
    leg.task_link = fmt::format("eth{}", legs.size());
    legs.push_back(std::move(leg));
  }
  add_names_leg(legs);
  for (auto& leg : legs) {
    if (leg.kind != Leg::Kind::kMacvlan) leg.host_link = names_.veth(task.task_uid, on_machine++);
  }
  return legs;
}

// A link on a machine's interface doesn't reach that machine. Who is in no routed network has a way to it for names.
void KernelNetworks::add_names_leg(std::vector<Leg>& legs) const {
  const auto is_routed = [](const Leg& leg) { return leg.kind == Leg::Kind::kRouted; };
  if (legs.empty() || std::ranges::any_of(legs, is_routed)) return;
  Leg leg{.kind = Leg::Kind::kNames, .host_link = {}, .task_link = "eth-names", .parent = {}, .v4 = legs.front().v4};
  leg.v4.gateway = parse_ipv4(kNamesGateway).value_or(Ipv4{});
  legs.push_back(std::move(leg));
}

// By that link it gets to the resolver, and to nobody else: like an internal network of its own.
base::Result<> KernelNetworks::admit_names(const std::string& task_uid, const std::vector<Leg>& legs) {
  if (legs.empty() || legs.back().kind != Leg::Kind::kNames) return {};
  return firewall_.put_network(task_uid, {.subnet = to_string(legs.back().v4.address),
                                          .gateway = kNamesGateway,
                                          .subnet6 = {},
                                          .gateway6 = {},
                                          .internal = true});
}

base::Result<> KernelNetworks::attach(const TaskNetwork& task) {
  RETURN_IF_ERROR(check_uid(task.task_uid));
  const TaskTurn turn(*this, task.task_uid);
  return attach_in_turn(task);
}

base::Result<> KernelNetworks::attach_at(const TaskNetwork& task, const std::filesystem::path& path) {
  RETURN_IF_ERROR(check_uid(task.task_uid));
  const TaskTurn turn(*this, task.task_uid);
  const auto own = namespace_path(task.task_uid);
  if (!is_same_namespace(own, path)) {
    // A link of the same name may only be made when the former is gone.
    RETURN_IF_ERROR(ports_.unpublish(task.task_uid));
    RETURN_IF_ERROR(unlink_in_turn(task.task_uid));
    RETURN_IF_ERROR(delete_released());
    RETURN_IF_ERROR(base::make_folders(folder_));
    RETURN_IF_ERROR(keep_namespace(path, own));
  }
  return attach_in_turn(task);
}

base::Result<> KernelNetworks::attach_in_turn(const TaskNetwork& task) {
  ASSIGN_OR_RETURN(const auto legs, plan_legs(task));
  const auto is_routed = [](const Leg& leg) { return leg.kind == Leg::Kind::kRouted; };
  if (!task.ports.empty() && std::ranges::none_of(legs, is_routed)) {
    return base::fail(base::Code::kInvalidArgument,
                      legs.empty() ? "a task without a network can't publish ports: give it a network"
                                   : "a task in macvlan networks only can't publish ports, since it is reached by its "
                                     "own address: leave them out, or give it another network");
  }
  RETURN_IF_ERROR(base::make_folders(folder_));
  const auto path = namespace_path(task.task_uid);
  const bool existed = is_namespace(path);
  auto done = admit_names(task.task_uid, legs);
  if (done) done = wire_task(path, legs);
  auto leg = std::ranges::find_if(legs, [&](const Leg& each) { return is_routed(each) && each.way_out; });
  if (leg == legs.end()) leg = std::ranges::find_if(legs, is_routed);
  if (done && leg != legs.end())
    done = ports_.reserve(task.task_uid, task.owner,
                          {to_string(leg->v4.address), leg->v6 ? to_string(leg->v6->address) : ""}, task.ports);
  if (done) return note_wired(task.task_uid, std::ranges::all_of(legs, is_routed));
  // A namespace that was there may have a container in it.
  if (!existed) {
    RETURN_IF_ERROR(release_in_turn(task.task_uid));
    RETURN_IF_ERROR(delete_released());
  }
  return std::unexpected(done.error());
}

base::Result<> KernelNetworks::note_wired(const std::string& task_uid, bool routed) {
  const std::lock_guard lock(mutex_);
  if (routed) {
    routed_tasks_.insert(task_uid);
  } else {
    routed_tasks_.erase(task_uid);
  }
  return {};
}

base::Result<> KernelNetworks::release_in_turn(const std::string& task_uid) {
  RETURN_IF_ERROR(ports_.withdraw(task_uid));
  return unlink_in_turn(task_uid);
}

base::Result<> KernelNetworks::unlink_in_turn(const std::string& task_uid) {
  bool routed = false;
  {
    const std::lock_guard lock(mutex_);
    routed = routed_tasks_.erase(task_uid) > 0;
  }
  // What has no end here would stay on its network until the kernel gets round to its namespace.
  if (!routed) RETURN_IF_ERROR(unwire_task(namespace_path(task_uid)));
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  // Made in order, so the first that isn't there is the end: listing every link of the machine would cost more. Should
  // one remain after a crash it goes with its other end in the namespace.
  for (std::size_t index = 0; index < kAttachmentsMax; ++index) {
    const std::string link = names_.veth(task_uid, index);
    ASSIGN_OR_RETURN(const bool marked, mark_if_there(socket, link, names_.removal_group()));
    if (!marked) break;
  }
  RETURN_IF_ERROR(remove_namespace(namespace_path(task_uid)));
  return routed ? base::Result<>{} : firewall_.remove_network(task_uid);
}

base::Result<> KernelNetworks::release(const std::string& task_uid) {
  RETURN_IF_ERROR(check_uid(task_uid));
  const TaskTurn turn(*this, task_uid);
  return release_in_turn(task_uid);
}

base::Result<std::vector<std::string>> KernelNetworks::namespace_files() const {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error))
    files.push_back(entry.path().filename());
  if (error && error != std::errc::no_such_file_or_directory)
    return base::fail_errno(error.value(), "reading " + folder_.string());
  return files;
}

base::Result<> KernelNetworks::sweep(const std::vector<std::string>& network_uids,
                                     const std::vector<std::string>& task_uids) {
  RETURN_IF_ERROR(sweep_unnamed(network_uids, task_uids));
  return remove_if_unused();
}

base::Result<> KernelNetworks::sweep_unnamed(const std::vector<std::string>& network_uids,
                                             const std::vector<std::string>& task_uids) {
  const std::set<std::string> tasks(task_uids.begin(), task_uids.end());
  ASSIGN_OR_RETURN(auto known, namespace_files());
  ASSIGN_OR_RETURN(const auto publishing, ports_.tasks());
  known.insert(known.end(), publishing.begin(), publishing.end());
  for (const auto& uid : std::set<std::string>(known.begin(), known.end())) {
    if (!tasks.contains(uid)) RETURN_IF_ERROR(release(uid));
  }
  RETURN_IF_ERROR(delete_released());
  RETURN_IF_ERROR(sweep_links(task_uids));
  const std::set<std::string> networks(network_uids.begin(), network_uids.end());
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  RETURN_IF_ERROR(sweep_parents(socket, names_.table(), networks));
  ASSIGN_OR_RETURN(const auto ruled, firewall_.networks());
  // A task's uid stands for its way to the resolver.
  for (const auto& [uid, rules] : ruled) {
    if (!networks.contains(uid) && !tasks.contains(uid)) RETURN_IF_ERROR(firewall_.remove_network(uid));
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(networks_, [&](const auto& entry) { return !networks.contains(entry.first); });
  return {};
}

// All links of ours but the named tasks' and the ways to other machines: also bridges, which a former version made.
base::Result<> KernelNetworks::sweep_links(const std::vector<std::string>& task_uids) {
  std::set<std::string> stems;
  for (const auto& uid : task_uids) stems.insert(link_stem(names_, uid));
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  ASSIGN_OR_RETURN(const auto links, list_links(socket, names_.prefix()));
  for (const auto& link : links) {
    if (tunnels_ && link.name == names_.tunnel()) continue;
    if (link.name == names_.overlay() || stems.contains(link.name.substr(0, link.name.size() - 1))) continue;
    RETURN_IF_ERROR(delete_if_there(socket, link.name));
  }
  return {};
}

base::Result<> KernelNetworks::remove_all() {
  RETURN_IF_ERROR(sweep_unnamed({}, {}));
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  RETURN_IF_ERROR(delete_if_there(socket, names_.overlay()));
  if (tunnels_) RETURN_IF_ERROR(tunnels_->remove());
  RETURN_IF_ERROR(lead_machine_to({}));
  RETURN_IF_ERROR(firewall_.remove_all());
  ports_.forget_all();
  return base::remove_tree(folder_);
}

}  // namespace orchion::node::networks
