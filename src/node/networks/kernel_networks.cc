#include "node/networks/kernel_networks.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "node/networks/namespaces.h"

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

}  // namespace

KernelNetworks::KernelNetworks(std::string cluster_short_id, std::filesystem::path run_folder,
                               PublishedPorts::HoldApart hold_apart)
    : names_(cluster_short_id),
      folder_(run_folder / "netns"),
      firewall_({names_.table(), names_.bridge_prefix(), hold_apart != nullptr}),
      ports_(firewall_, std::move(hold_apart)) {}

base::Result<> KernelNetworks::ensure_network(const NetworkConfig& config) {
  Network network{names_.bridge(config.uid), {}, {}, config.internal, config.vni, {}};
  ASSIGN_OR_RETURN(network.subnet, parse_subnet(config.subnet));
  ASSIGN_OR_RETURN(network.gateway, parse_ipv4(config.gateway));
  if (!network.subnet.contains(network.gateway)) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the gateway {} is not in the subnet {}", config.gateway, config.subnet));
  }
  const std::lock_guard turn(bridges_turn_);
  // The rules first: at no moment is a bridge open that should be closed.
  RETURN_IF_ERROR(firewall_.add_bridge(network.bridge, network.internal));
  RETURN_IF_ERROR(ensure_bridge({network.bridge, network.subnet, network.gateway, network.mtu()}));
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  if (config.vni == 0) {
    RETURN_IF_ERROR(delete_if_there(socket, names_.tunnel(config.uid)));
  } else {
    ASSIGN_OR_RETURN(const Ipv4 underlay, parse_ipv4(config.underlay));
    RETURN_IF_ERROR(ensure_tunnel(socket, {names_.tunnel(config.uid), network.bridge, config.vni, underlay}));
  }
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = networks_.find(config.uid); known != networks_.end())
      network.peers = std::move(known->second.peers);
    networks_.insert_or_assign(config.uid, std::move(network));
  }
  return tell_tunnels();
}

// Nobody is listened to before it is named here: a number without peers is refused.
base::Result<> KernelNetworks::tell_tunnels() {
  Tunnels tunnels;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [uid, network] : networks_) {
      if (network.vni == 0) continue;
      tunnels.vnis.insert(network.vni);
      tunnels.peers.insert(network.peers.begin(), network.peers.end());
    }
  }
  if (tunnels == told_) return {};
  RETURN_IF_ERROR(firewall_.set_tunnels(tunnels));
  told_ = std::move(tunnels);
  return {};
}

base::Result<> KernelNetworks::set_remotes(const std::string& network_uid, const std::vector<Remote>& remotes) {
  const std::lock_guard turn(bridges_turn_);
  std::vector<RemoteTask> tasks;
  {
    const std::lock_guard lock(mutex_);
    const auto found = networks_.find(network_uid);
    if (found == networks_.end() || found->second.vni == 0) return {};
    found->second.peers.clear();
    for (const auto& remote : remotes) {
      ASSIGN_OR_RETURN(const Ipv4 address, parse_ipv4(remote.address));
      ASSIGN_OR_RETURN(const Ipv4 node, parse_ipv4(remote.node));
      if (!found->second.subnet.contains(address) || address == found->second.gateway) continue;
      tasks.push_back({address, node});
      found->second.peers.insert(remote.node);
    }
  }
  RETURN_IF_ERROR(tell_tunnels());
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  return forward_to(socket, names_.tunnel(network_uid), tasks);
}

base::Result<> KernelNetworks::remove_network(const std::string& uid) {
  const std::lock_guard turn(bridges_turn_);
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    networks_.erase(uid);
    last = networks_.empty();
  }
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  RETURN_IF_ERROR(delete_if_there(socket, names_.tunnel(uid)));
  RETURN_IF_ERROR(delete_if_there(socket, names_.bridge(uid)));
  if (!last) RETURN_IF_ERROR(tell_tunnels());
  RETURN_IF_ERROR(firewall_.remove_bridge(names_.bridge(uid)));
  // Without a network there is nothing to keep on the machine; the next one makes it anew.
  ASSIGN_OR_RETURN(const auto namespaces, namespace_files());
  ASSIGN_OR_RETURN(const bool distant, ports_.has_distant());
  return last && namespaces.empty() && !distant ? remove_all() : base::Result<>{};
}

base::Result<> KernelNetworks::set_distant_ports(std::vector<DistantPort> ports) {
  const std::lock_guard turn(bridges_turn_);
  const bool none = ports.empty();
  // Nothing before and nothing now: the table isn't made for that.
  ASSIGN_OR_RETURN(const bool before, ports_.has_distant());
  if (none && !before) return {};
  RETURN_IF_ERROR(ports_.set_distant(std::move(ports)));
  bool networks = false;
  {
    const std::lock_guard lock(mutex_);
    networks = !networks_.empty();
  }
  ASSIGN_OR_RETURN(const auto namespaces, namespace_files());
  return none && !networks && namespaces.empty() ? remove_all() : base::Result<>{};
}

base::Result<std::vector<Leg>> KernelNetworks::plan_legs(const TaskNetwork& task) {
  const std::lock_guard lock(mutex_);
  if (task.attachments.size() > kAttachmentsMax) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("a task can be in {} networks at most", kAttachmentsMax));
  }
  std::vector<Leg> legs;
  for (const auto& attachment : task.attachments) {
    const auto found = networks_.find(attachment.network_uid);
    if (found == networks_.end()) {
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("the network {} is not set up on this machine", attachment.network_uid));
    }
    const Network& network = found->second;
    ASSIGN_OR_RETURN(const Ipv4 address, parse_ipv4(attachment.address));
    if (!network.subnet.contains(address) || address == network.gateway) {
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("{} is no address for a task in its network", attachment.address));
    }
    legs.push_back({.host_link = names_.veth(task.task_uid, legs.size()),
                    .task_link = fmt::format("eth{}", legs.size()),
                    .bridge = network.bridge,
                    .address = address,
                    .subnet = network.subnet,
                    .gateway = network.gateway,
                    .hairpin = !task.ports.empty(),
                    .way_out = !network.internal,
                    .mtu = network.mtu()});
  }
  return legs;
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
  if (legs.empty() && !task.ports.empty()) {
    return base::fail(base::Code::kInvalidArgument, "a task without a network can't publish ports: give it a network");
  }
  RETURN_IF_ERROR(base::make_folders(folder_));
  const auto path = namespace_path(task.task_uid);
  const bool existed = is_namespace(path);
  auto done = wire_task(path, legs);
  if (done && !legs.empty()) {
    auto leg = std::find_if(legs.begin(), legs.end(), [](const Leg& each) { return each.way_out; });
    if (leg == legs.end()) leg = legs.begin();
    done = ports_.reserve(task.task_uid, task.owner, to_string(leg->address), task.ports);
  }
  if (done) return {};
  // A namespace that was there may have a container in it.
  if (!existed) {
    RETURN_IF_ERROR(release_in_turn(task.task_uid));
    RETURN_IF_ERROR(delete_released());
  }
  return std::unexpected(done.error());
}

base::Result<> KernelNetworks::release_in_turn(const std::string& task_uid) {
  RETURN_IF_ERROR(ports_.withdraw(task_uid));
  return unlink_in_turn(task_uid);
}

base::Result<> KernelNetworks::unlink_in_turn(const std::string& task_uid) {
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  // Made in order, so the first that isn't there is the end: listing every link of the machine would cost more. Should
  // one remain after a crash it goes with its other end in the namespace.
  for (std::size_t index = 0; index < kAttachmentsMax; ++index) {
    const std::string link = names_.veth(task_uid, index);
    ASSIGN_OR_RETURN(const bool marked, mark_if_there(socket, link, names_.removal_group()));
    if (!marked) break;
  }
  return remove_namespace(namespace_path(task_uid));
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
  const std::set<std::string> tasks(task_uids.begin(), task_uids.end());
  ASSIGN_OR_RETURN(auto known, namespace_files());
  ASSIGN_OR_RETURN(const auto publishing, ports_.tasks());
  known.insert(known.end(), publishing.begin(), publishing.end());
  for (const auto& uid : std::set<std::string>(known.begin(), known.end())) {
    if (!tasks.contains(uid)) RETURN_IF_ERROR(release(uid));
  }
  RETURN_IF_ERROR(delete_released());
  std::set<std::string> stems;
  for (const auto& uid : task_uids) stems.insert(link_stem(names_, uid));
  std::set<std::string> bridges;
  for (const auto& uid : network_uids) bridges.insert(names_.bridge(uid));
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  ASSIGN_OR_RETURN(const auto veths, list_links(socket, names_.veth_prefix()));
  ASSIGN_OR_RETURN(const auto present, list_links(socket, names_.bridge_prefix()));
  ASSIGN_OR_RETURN(const auto tunnels, list_links(socket, names_.tunnel_prefix()));
  std::set<std::string> kept_tunnels;
  for (const auto& uid : network_uids) kept_tunnels.insert(names_.tunnel(uid));
  std::vector<std::string> leftovers;
  for (const auto& link : tunnels) {
    if (!kept_tunnels.contains(link.name)) leftovers.push_back(link.name);
  }
  for (const auto& link : veths) {
    if (!stems.contains(link.name.substr(0, link.name.size() - 1))) leftovers.push_back(link.name);
  }
  for (const auto& link : present) {
    if (bridges.contains(link.name)) continue;
    leftovers.push_back(link.name);
    RETURN_IF_ERROR(firewall_.remove_bridge(link.name));
  }
  for (const auto& name : leftovers) RETURN_IF_ERROR(delete_if_there(socket, name));
  const std::lock_guard lock(mutex_);
  std::erase_if(networks_, [&](const auto& entry) { return !bridges.contains(entry.second.bridge); });
  return {};
}

base::Result<> KernelNetworks::remove_all() {
  RETURN_IF_ERROR(sweep({}, {}));
  RETURN_IF_ERROR(firewall_.remove_all());
  told_ = {};
  ports_.forget_all();
  return base::remove_tree(folder_);
}

}  // namespace orchion::node::networks
