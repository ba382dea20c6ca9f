#include "node/agent/network_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/core.h>
#include <google/protobuf/util/message_differencer.h>

#include "base/log.h"
#include "base/timeout.h"
#include "core/shared_network.h"
#include "core/task_state.h"

namespace orchion::node::agent {

namespace {

constexpr auto kOthers = "the way to other machines";
constexpr auto kVirtualAddresses = "virtual addresses";
constexpr auto kDistantPorts = "published ports of other nodes";

constexpr auto kRetryDelay = std::chrono::seconds(1);

// Names come in bursts; one file holds them all.
constexpr auto kSaveDelay = std::chrono::milliseconds(200);

// From a task's word that it stops to the last node that leads to it: the word's way through the control plane.
constexpr auto kDrainTime = std::chrono::milliseconds(200);

// A reload that is under way is over by then.
constexpr auto kRouteLimit = std::chrono::seconds(3);

// Where the machine is for the network's tasks.
std::string machine_in(const v1::NetworkAssignment& network) {
  return network.driver() == v1::MACVLAN ? networks::kNamesGateway : network.gateway();
}

std::string text_of(const v1::NetworkAssignment& network) {
  return fmt::format("network {}/{}", network.stack(), network.name());
}

std::string remotes_of(const v1::NetworkAssignment& network) {
  return fmt::format("the way to tasks of {} on other machines", text_of(network));
}

bool same(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

}  // namespace

NetworkTable::NetworkTable(base::Executor executor, Parts parts)
    : parts_(parts),
      shares_(parts.share_changed),
      changed_(executor),
      routes_(executor, parts_.clock, parts_.ingress,
              [this](const v1::RouteAssignment& route) { return servers_of(route); }) {}

void NetworkTable::restore(const v1::NetworkCheckpoint& names, const std::vector<v1::TaskCheckpoint>& tasks) {
  for (const auto& network : names.networks()) put_network(network);
  for (const auto& task : tasks) {
    for (const auto& network : task.networks()) put_network(network);
    // Before any of them goes on: whose network it is must not clean it up.
    const auto& kept = task.assignment().task();
    if (core::shares_network(kept) && !task.removed() && !core::is_terminal(task.status().state()))
      shares_.enter(kept.spec().assignment().network_of(), kept.meta().uid());
  }
  for (const auto& endpoint : names.endpoints()) put_endpoint(endpoint);
  put_distant_ports(names.distant_ports());
  put_policies(names.policies());
  routes_.set_routes(names.routes());
  put_peers(names.peers());
  host_address_ = names.host_address();
  mesh_address_ = names.mesh_address();
}

void NetworkTable::set_addresses(const std::string& host_address, const std::string& mesh_address) {
  if (host_address_ == host_address && mesh_address_ == mesh_address) return;
  host_address_ = host_address;
  mesh_address_ = mesh_address;
  peers_known_ = false;
  unsaved_ = true;
  changed_.notify();
}

void NetworkTable::apply(const v1::Assignments& assignments) {
  if (assignments.full()) drop_unnamed(assignments);
  for (const auto& network : assignments.networks()) put_network(network);
  for (const auto& uid : assignments.removed_networks()) {
    forget_members(uid);
    if (const auto found = entries_.find(uid); found != entries_.end()) {
      found->second->wanted = false;
    } else {
      parts_.gone(uid);
    }
  }
  for (const auto& endpoint : assignments.endpoints()) put_endpoint(endpoint);
  for (const auto& key : assignments.removed_endpoints()) remove_endpoint({key.task_uid(), key.network_uid()});
  if (assignments.full() || assignments.has_distant_ports()) put_distant_ports(assignments.distant_ports());
  if (assignments.full() || assignments.has_policies()) put_policies(assignments.policies());
  if (assignments.full() || assignments.has_routes()) routes_.set_routes(assignments.routes());
  if (assignments.full() || assignments.has_peers()) put_peers(assignments.peers());
  if (assignments.full()) routes_.take_over();
  unsaved_ = true;
  changed_.notify();
  routes_.notify();
  parts_.policies.notify();
}

void NetworkTable::put_policies(const v1::PolicyAssignments& policies) {
  if (same(policies_, policies)) return;
  policies_ = policies;
  parts_.policies.table().set_policies(policies);
}

void NetworkTable::put_peers(const v1::Peers& peers) {
  if (same(peers_, peers)) return;
  peers_ = peers;
  peers_known_ = false;
  ports_led_ = false;
}

// Where what goes to another machine itself is sent: the way that is encrypted, where there is one.
std::string NetworkTable::way_to(const std::string& node_address) const {
  const auto found = std::ranges::find_if(
      peers_.peers(), [&](const v1::Peer& peer) { return peer.address() == node_address && peer.has_mesh(); });
  return parts_.in_mesh && found != peers_.peers().end() ? found->mesh().address() : node_address;
}

void NetworkTable::put_distant_ports(const v1::DistantPorts& ports) {
  if (same(distant_ports_, ports)) return;
  distant_ports_ = ports;
  ports_led_ = false;
}

// They may change meanwhile: then it isn't as they say, and done again.
base::Co<> NetworkTable::lead_ports() {
  std::vector<networks::DistantPort> ports;
  for (const auto& port : distant_ports_.ports()) {
    networks::DistantPort distant{
        .owner = port.owner(), .port = static_cast<std::uint16_t>(port.port()), .udp = port.udp(), .nodes = {}};
    for (const auto& address : port.node_addresses()) distant.nodes.push_back(way_to(address));
    ports.push_back(std::move(distant));
  }
  ports_led_ = true;
  auto done = co_await parts_.networks.set_distant_ports(std::move(ports));
  if (!done) ports_led_ = false;
  note(kDistantPorts, done);
  co_return done;
}

void NetworkTable::drop_unnamed(const v1::Assignments& assignments) {
  for (auto& [uid, entry] : entries_) entry->wanted = false;  // those that are named become wanted again
  std::set<EndpointKey> named;
  for (const auto& endpoint : assignments.endpoints()) named.emplace(endpoint.task_uid(), endpoint.network_uid());
  std::vector<EndpointKey> gone;
  for (const auto& [key, endpoint] : endpoints_) {
    if (!named.contains(key)) gone.push_back(key);
  }
  for (const auto& key : gone) remove_endpoint(key);
}

void NetworkTable::put_network(const v1::NetworkAssignment& network) {
  auto& entry = entries_[network.uid()];
  if (!entry) entry = std::make_shared<Entry>();
  if (!same(entry->network, network)) {
    entry->ready = false;
    // What others have beside it in its range is outside, as anywhere.
    if (network.driver() == v1::ROUTED) parts_.policies.table().put_network(network);
  }
  entry->network = network;
  entry->wanted = true;
}

void NetworkTable::put_endpoint(const v1::Endpoint& endpoint) {
  const EndpointKey key{endpoint.task_uid(), endpoint.network_uid()};
  if (const auto found = endpoints_.find(key); found != endpoints_.end() && same(found->second, endpoint)) return;
  remove_endpoint(key);
  endpoints_[key] = endpoint;
  parts_.policies.table().put_endpoint(endpoint);
  names_changed(endpoint.network_uid());
  put_record(endpoint);
}

bool NetworkTable::is_serving(const v1::Endpoint& endpoint) const {
  return endpoint.serving() && !unready_tasks_.contains(endpoint.task_uid());
}

void NetworkTable::put_record(const v1::Endpoint& endpoint) {
  if (!is_serving(endpoint)) return;
  parts_.records.put({.task_uid = endpoint.task_uid(),
                      .network_uid = endpoint.network_uid(),
                      .address = endpoint.address(),
                      .stack = endpoint.stack(),
                      .service = endpoint.service(),
                      .slot = endpoint.slot(),
                      .aliases = {endpoint.aliases().begin(), endpoint.aliases().end()},
                      .address6 = endpoint.address6(),
                      .virtual_address = endpoint.virtual_address(),
                      .virtual_address6 = endpoint.virtual_address6(),
                      .of_run = endpoint.of_run()});
}

void NetworkTable::remove_endpoint(const EndpointKey& key) {
  if (endpoints_.erase(key) == 0) return;
  parts_.policies.table().remove_endpoint(key.first, key.second);
  parts_.records.remove(key.first, key.second);
  names_changed(key.second);
}

// Nobody says any more who comes and goes there; should it come back, all are named again.
void NetworkTable::forget_members(const std::string& network_uid) {
  std::vector<EndpointKey> members;
  for (const auto& [key, endpoint] : endpoints_) {
    if (key.second == network_uid) members.push_back(key);
  }
  for (const auto& key : members) remove_endpoint(key);
}

void NetworkTable::names_changed(const std::string& network_uid) {
  if (const auto found = entries_.find(network_uid); found != entries_.end()) found->second->led = false;
  services_led_ = false;
}

// Every service's virtual addresses, with who serves behind them: when it returns the machine knows all that was so
// when it was called. They may change meanwhile: then it's done again. One at a time, lest an older word land last.
base::Co<> NetworkTable::lead_services() {
  while (leading_services_) {
    const auto seen = changed_.count();
    CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
  }
  if (services_led_) co_return base::Result<>{};
  Busy busy(leading_services_, changed_);
  std::map<std::string, std::set<std::string>> members;
  for (const auto& [key, endpoint] : endpoints_) {
    if (!entries_.contains(key.second)) continue;
    for (const auto& [front, back] : {std::pair(endpoint.virtual_address(), endpoint.address()),
                                      std::pair(endpoint.virtual_address6(), endpoint.address6())}) {
      if (front.empty() || back.empty()) continue;
      auto& behind = members[front];
      if (is_serving(endpoint)) behind.insert(back);
    }
  }
  std::vector<networks::VirtualAddress> addresses;
  for (const auto& [front, behind] : members) addresses.push_back({front, {behind.begin(), behind.end()}});
  services_led_ = true;
  auto done = co_await parts_.networks.set_virtual_addresses(std::move(addresses));
  if (!done) services_led_ = false;
  note(kVirtualAddresses, done);
  co_return done;
}

// They may change meanwhile: then it's done again.
base::Co<> NetworkTable::know_peers() {
  if (peers_known_) co_return base::Result<>{};
  networks::Machines machines{.host_address = host_address_, .tunnel_address = {}, .peers = {}};
  if (parts_.in_mesh) machines.tunnel_address = mesh_address_;
  for (const auto& peer : peers_.peers()) {
    networks::Peer known{peer.address(), peer.host_address(), std::nullopt};
    if (parts_.in_mesh && peer.has_mesh())
      known.tunnel = networks::Tunnel{peer.mesh().address(), peer.mesh().public_key(), peer.mesh().endpoint()};
    machines.peers.push_back(std::move(known));
  }
  peers_known_ = true;
  auto done = co_await parts_.networks.set_machines(std::move(machines));
  if (!done) peers_known_ = false;
  co_return done;
}

base::Co<> NetworkTable::know_address() {
  const auto address = parts_.address ? parts_.address() : std::string();
  const auto cluster = parts_.cluster_id();
  if (address_ == address || cluster.empty()) co_return base::Result<>{};
  CO_RETURN_IF_ERROR(co_await parts_.networks.set_address(address, cluster));
  address_ = address;
  for (auto& [uid, entry] : entries_) entry->led = false;
  co_return base::Result<>{};
}

// What failed is said once, and tried again until it is done.
void NetworkTable::note(const std::string& what, const base::Result<>& done) {
  if (done) {
    problems_.erase(what);
    return;
  }
  if (done.error().code == base::Code::kCancelled) return;
  auto& problem = problems_[what];
  if (problem != done.error().message) base::log::warn("{}: {}", what, done.error().message);
  problem = done.error().message;
}

void NetworkTable::hold(const v1::Task& task) {
  const auto& uid = task.meta().uid();
  const bool held = !held_tasks_.insert(uid).second;
  const bool shares = core::shares_network(task);
  if (shares) shares_.enter(task.spec().assignment().network_of(), uid);
  // What holds for an address is what holds for the task whose it is.
  if (!held && !shares) parts_.policies.table().hold(uid);
  for (const auto& address : task.spec().assignment().addresses()) {
    // Again at each call: a network may be heard of later than its task.
    if (const auto found = entries_.find(address.network_uid()); found != entries_.end())
      found->second->holders.insert(uid);
    if (held) continue;
    parts_.records.put_local({.task_uid = uid,
                              .network_uid = address.network_uid(),
                              .address = address.address(),
                              .stack = task.meta().stack(),
                              .address6 = address.address6()});
  }
}

void NetworkTable::release(const std::string& task_uid) {
  unready_tasks_.erase(task_uid);
  shares_.leave(task_uid);
  if (held_tasks_.erase(task_uid) == 0) return;
  parts_.records.remove_local(task_uid);
  parts_.policies.table().release(task_uid);
  parts_.policies.notify();
  for (auto& [uid, entry] : entries_) entry->holders.erase(task_uid);
  changed_.notify();
}

void NetworkTable::set_ready(const std::string& task_uid, bool ready) {
  const bool changed = ready ? unready_tasks_.erase(task_uid) > 0 : unready_tasks_.insert(task_uid).second;
  if (!changed) return;
  services_led_ = false;
  changed_.notify();
  routes_.notify();
  for (auto it = endpoints_.lower_bound({task_uid, ""}); it != endpoints_.end() && it->first.first == task_uid; ++it) {
    if (ready) {
      put_record(it->second);
    } else {
      parts_.records.remove(task_uid, it->first.second);
    }
  }
}

// Who serves a route: the tasks of its service in its network.
std::vector<mesh::ingress::Server> NetworkTable::servers_of(const v1::RouteAssignment& route) const {
  std::vector<mesh::ingress::Server> servers;
  for (const auto& [key, endpoint] : endpoints_) {
    if (key.second != route.network_uid() || endpoint.stack() != route.stack() ||
        endpoint.service() != route.service() || endpoint.of_run() || !is_serving(endpoint))
      continue;
    servers.push_back({endpoint.task_uid(), endpoint.address()});
  }
  return servers;
}

bool NetworkTable::has_stand_in(const std::string& task_uid) const {
  const auto own = endpoints_.lower_bound({task_uid, ""});
  if (own == endpoints_.end() || own->first.first != task_uid) return false;
  return std::ranges::any_of(endpoints_, [&](const auto& entry) {
    const auto& other = entry.second;
    return other.task_uid() != task_uid && other.network_uid() == own->second.network_uid() && is_serving(other) &&
           other.stack() == own->second.stack() && other.service() == own->second.service();
  });
}

bool NetworkTable::needs_draining(const std::string& task_uid) const {
  return !unready_tasks_.contains(task_uid) && has_stand_in(task_uid);
}

base::Co<> NetworkTable::drain(std::string task_uid) {
  const bool was_led_to = needs_draining(task_uid);
  set_ready(task_uid, false);
  if (!was_led_to) co_return base::Result<>{};
  std::ignore = co_await lead_services();
  auto routed = co_await base::with_timeout(parts_.clock, kRouteLimit, "leading requests elsewhere", routes_.lead());
  if (!routed) base::log::warn("routes: {}", routed.error().message);
  co_return co_await parts_.clock.sleep(kDrainTime);
}

std::vector<v1::NetworkAssignment> NetworkTable::networks_of(const v1::Task& task) const {
  std::vector<v1::NetworkAssignment> result;
  for (const auto& address : task.spec().assignment().addresses()) {
    if (const auto found = entries_.find(address.network_uid()); found != entries_.end())
      result.push_back(found->second->network);
  }
  return result;
}

std::vector<std::string> NetworkTable::uids() const {
  std::vector<std::string> result;
  for (const auto& [uid, entry] : entries_) result.push_back(uid);
  return result;
}

base::Co<> NetworkTable::ensure(std::string uid) {
  while (true) {
    const auto found = entries_.find(uid);
    if (found == entries_.end())
      co_return base::fail(
          base::Code::kUnavailable,
          fmt::format("this node has not heard of the network {} yet: waiting for the control plane", uid));
    const auto entry = found->second;
    // Before the task's first packet.
    if (entry->ready) co_return co_await parts_.policies.enforce();
    if (!entry->busy) co_return co_await make(entry);
    const auto seen = changed_.count();
    CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
  }
}

base::Co<> NetworkTable::make(std::shared_ptr<Entry> entry) {
  Busy busy(entry->busy, changed_);
  auto done = co_await make_in_turn(entry);
  note(text_of(entry->network), done);
  co_return done;
}

base::Co<> NetworkTable::make_in_turn(std::shared_ptr<Entry> entry) {
  const auto network = entry->network;
  // A variable of its own: g++ 12 destroys an aggregate that is made within a co_await twice.
  networks::NetworkConfig config{.uid = network.uid(),
                                 .subnet = network.subnet(),
                                 .gateway = network.gateway(),
                                 .internal = network.internal(),
                                 .subnet6 = network.subnet6(),
                                 .gateway6 = network.gateway6(),
                                 .mtu = static_cast<int>(network.mtu()),
                                 .parent = network.parent()};
  // Without others the node's own tasks still have each other.
  std::ignore = co_await know_around();
  CO_RETURN_IF_ERROR(co_await parts_.networks.ensure_network(std::move(config)));
  // The first network brings the machine's table with it: what it held before is said again.
  CO_RETURN_IF_ERROR(co_await parts_.policies.enforce_again());
  std::ignore = co_await lead(entry);
  services_led_ = false;  // likewise
  CO_RETURN_IF_ERROR(co_await lead_services());
  CO_RETURN_IF_ERROR(co_await parts_.resolver.add_address(machine_in(network)));
  // Of a network that isn't ours others know whose its addresses are.
  const bool ours = network.driver() == v1::ROUTED;
  parts_.records.put_network(network.uid(), {.gateway = machine_in(network),
                                             .gateway6 = network.gateway6(),
                                             .subnet = ours ? network.subnet() : "",
                                             .subnet6 = network.subnet6()});
  entry->ready = same(network, entry->network);
  co_return base::Result<>{};
}

base::Co<> NetworkTable::know_around() {
  auto peers = co_await know_peers();
  auto address = co_await know_address();
  auto done = peers ? address : peers;
  note(kOthers, done);
  co_return done;
}

// Names may change meanwhile: then it isn't as they say, and done again.
base::Co<> NetworkTable::lead(std::shared_ptr<Entry> entry) {
  const auto uid = entry->network.uid();
  std::set<networks::Remote> remotes;  // tasks that share a network have one address
  for (const auto& [key, endpoint] : endpoints_) {
    if (key.second == uid && !endpoint.node_address().empty())
      remotes.insert({endpoint.address(), endpoint.address6(), endpoint.node_address()});
  }
  entry->led = true;
  if (entry->network.driver() == v1::MACVLAN) co_return base::Result<>{};  // its tasks find each other
  auto done = co_await parts_.networks.set_remotes(uid, {remotes.begin(), remotes.end()});
  if (!done) entry->led = false;
  note(remotes_of(entry->network), done);
  co_return done;
}

// A range can be another network's before this one is quite gone.
bool NetworkTable::has_gateway_of_another(const Entry& entry) const {
  return std::ranges::any_of(entries_, [&](const auto& each) {
    return each.second.get() != &entry && machine_in(each.second->network) == machine_in(entry.network);
  });
}

base::Co<> NetworkTable::remove(std::shared_ptr<Entry> entry) {
  Busy busy(entry->busy, changed_);
  const auto uid = entry->network.uid();
  entry->ready = false;
  if (!has_gateway_of_another(*entry)) parts_.resolver.remove_address(machine_in(entry->network));
  parts_.records.remove_network(uid);
  const auto removed = co_await parts_.networks.remove_network(uid);
  note(text_of(entry->network), removed);
  CO_RETURN_IF_ERROR(removed);
  if (!entry->wanted && entry->holders.empty()) {
    entries_.erase(uid);
    problems_.erase(remotes_of(entry->network));
    parts_.policies.table().remove_network(uid);
    parts_.gone(uid);
  }
  unsaved_ = true;
  co_return base::Result<>{};
}

base::Co<> NetworkTable::keep() {
  while (true) {
    const auto seen = changed_.count();
    CO_ASSIGN_OR_RETURN(const bool settled, co_await settle());
    if (settled) {
      CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
    } else {
      CO_RETURN_IF_ERROR(co_await parts_.clock.sleep(kRetryDelay));
    }
  }
}

// One attempt at everything that isn't as it should be; false where something failed.
base::Co<bool> NetworkTable::settle() {
  std::ignore = co_await know_around();
  if (!services_led_) std::ignore = co_await lead_services();
  if (!ports_led_) std::ignore = co_await lead_ports();
  for (const auto& uid : uids()) {
    const auto found = entries_.find(uid);
    if (found == entries_.end() || found->second->busy) continue;
    const auto entry = found->second;
    if (entry->wanted && !entry->ready) {
      std::ignore = co_await make(entry);
    } else if (entry->wanted && !entry->led) {
      Busy busy(entry->busy, changed_);
      std::ignore = co_await lead(entry);
    } else if (!entry->wanted && entry->holders.empty()) {
      std::ignore = co_await remove(entry);
    }
  }
  co_return problems_.empty();
}

base::Co<> NetworkTable::save_changes() {
  while (true) {
    const auto seen = changed_.count();
    if (!unsaved_) {
      CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
      continue;
    }
    CO_RETURN_IF_ERROR(co_await parts_.clock.sleep(kSaveDelay));
    unsaved_ = false;
    auto saved = co_await parts_.folder.save_networks(checkpoint());
    // Names that aren't remembered come back with the next session.
    if (!saved) base::log::warn("cannot remember the networks: {}", saved.error().message);
  }
}

v1::NetworkCheckpoint NetworkTable::checkpoint() const {
  v1::NetworkCheckpoint result;
  for (const auto& [uid, entry] : entries_) {
    if (entry->wanted) *result.add_networks() = entry->network;
  }
  for (const auto& [key, endpoint] : endpoints_) *result.add_endpoints() = endpoint;
  *result.mutable_distant_ports() = distant_ports_;
  *result.mutable_policies() = policies_;
  *result.mutable_routes() = routes_.routes();
  *result.mutable_peers() = peers_;
  result.set_host_address(host_address_);
  result.set_mesh_address(mesh_address_);
  return result;
}

}  // namespace orchion::node::agent
