#include "control/controllers/allocations.h"

#include <algorithm>

#include "core/lifecycle.h"
#include "core/shared_network.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

store::ObjectName owner_of(const v1::Task& task) {
  return {task.meta().stack(), task.spec().run().empty() ? task.spec().service() : task.spec().run()};
}

Cost Cost::of(const v1::ContainerSpec& container) {
  const auto& reserved = container.reservations();
  return {reserved.nano_cpus(), reserved.memory_bytes(), reserved.disk_bytes()};
}

std::vector<scheduler::GpuUse> gpus_of(const v1::Assignment& assignment) {
  std::vector<scheduler::GpuUse> uses;
  for (const auto& gpu : assignment.gpus()) uses.push_back({gpu.id(), gpu.share_milli(), gpu.memory_bytes()});
  return uses;
}

namespace {

template <class List>
std::vector<std::pair<std::string, std::uint32_t>> parsed(const List& addresses) {
  std::vector<std::pair<std::string, std::uint32_t>> result;
  for (const auto& address : addresses)
    if (const auto number = core::parse_ipv4(address.address())) result.emplace_back(address.network_uid(), *number);
  return result;
}

}  // namespace

Allocations::Entry Allocations::entry_of(const v1::Task& task, const Cost& cost) {
  Entry entry;
  entry.name = {task.meta().stack(), task.meta().name()};
  entry.owner = owner_of(task);
  entry.of_run = !task.spec().run().empty();
  entry.cost = cost;
  if (!task.spec().has_assignment()) {
    entry.waiting = !core::is_deleted(task.meta());
    return entry;
  }
  const auto& assignment = task.spec().assignment();
  entry.node_uid = assignment.node_uid();
  entry.live = !core::is_terminal(task.status().state());
  if (entry.live) entry.gpus = gpus_of(assignment);
  if (entry.live)
    for (const auto& port : assignment.ports())
      entry.ports.push_back(
          scheduler::HostPort::of(port, scheduler::HostPort::owner_of(entry.owner.stack, entry.owner.name)));
  if (!core::shares_network(task)) entry.addresses = parsed(assignment.addresses());
  return entry;
}

Allocations::Entry Allocations::entry_of(const v1::Service& service) {
  Entry entry;
  entry.addresses = parsed(service.status().virtual_addresses());
  return entry;
}

void Allocations::put(const v1::Task& task, const Cost& cost) {
  insert(task.meta().uid(), entry_of(task, cost));
}

void Allocations::put(const v1::Service& service) {
  insert(service.meta().uid(), entry_of(service));
}

void Allocations::insert(const std::string& uid, Entry entry) {
  erase(uid);
  if (entry.live) {
    auto& node = nodes_[entry.node_uid];
    node.nano_cpus += entry.cost.nano_cpus;
    node.memory_bytes += entry.cost.memory_bytes;
    node.disk_bytes += entry.cost.disk_bytes;
    node.gpus.insert(node.gpus.end(), entry.gpus.begin(), entry.gpus.end());
    ++node.tasks;
    node.ports.insert(node.ports.end(), entry.ports.begin(), entry.ports.end());
    ++owners_[entry.owner][entry.node_uid];
    if (entry.of_run) ++run_tasks_[entry.name.stack];
  }
  for (const auto& [network, address] : entry.addresses) addresses_[network].insert(address);
  if (entry.waiting) unassigned_.insert(entry.name);
  entries_.emplace(uid, std::move(entry));
}

void Allocations::erase(const std::string& uid) {
  const auto found = entries_.find(uid);
  if (found == entries_.end()) return;
  const Entry entry = std::move(found->second);
  entries_.erase(found);
  if (entry.live) {
    auto& node = nodes_[entry.node_uid];
    node.nano_cpus -= entry.cost.nano_cpus;
    node.memory_bytes -= entry.cost.memory_bytes;
    node.disk_bytes -= entry.cost.disk_bytes;
    for (const auto& gpu : entry.gpus) node.gpus.erase(std::find(node.gpus.begin(), node.gpus.end(), gpu));
    --node.tasks;
    for (const auto& port : entry.ports) node.ports.erase(std::find(node.ports.begin(), node.ports.end(), port));
    if (node.tasks == 0) nodes_.erase(entry.node_uid);
    auto& owner = owners_[entry.owner];
    if (--owner[entry.node_uid] == 0) owner.erase(entry.node_uid);
    if (owner.empty()) owners_.erase(entry.owner);
    if (entry.of_run && --run_tasks_[entry.name.stack] == 0) run_tasks_.erase(entry.name.stack);
  }
  for (const auto& [network, address] : entry.addresses) {
    auto& taken = addresses_[network];
    taken.erase(address);
    if (taken.empty()) addresses_.erase(network);
  }
  if (entry.waiting) unassigned_.erase(entry.name);
}

struct Allocations::ClaimHandle {
  Allocations& owner;
  std::vector<Claimed> objects;
  std::vector<std::string> volume_uids;
  ~ClaimHandle() { owner.withdraw(objects, volume_uids); }
};

std::shared_ptr<void> Allocations::claim(const Claims& claims) {
  auto handle = std::make_shared<ClaimHandle>(*this);
  for (const auto& [task, cost] : claims.tasks)
    handle->objects.push_back(claim_one(task.meta().uid(), entry_of(task, cost)));
  for (const auto& service : claims.services)
    handle->objects.push_back(claim_one(service.meta().uid(), entry_of(service)));
  for (const auto& [volume, node] : claims.volumes)
    if (volume_claims_.emplace(volume, node).second) handle->volume_uids.push_back(volume);
  return handle;
}

Allocations::Claimed Allocations::claim_one(const std::string& uid, Entry entry) {
  Claimed claimed{uid, nullptr};
  if (const auto found = entries_.find(uid); found != entries_.end())
    claimed.before = std::make_shared<Entry>(found->second);
  entry.claimed = true;
  insert(uid, std::move(entry));
  return claimed;
}

void Allocations::withdraw(const std::vector<Claimed>& objects, const std::vector<std::string>& volume_uids) {
  for (const auto& claimed : objects) {
    const auto found = entries_.find(claimed.uid);
    if (found == entries_.end() || !found->second.claimed) continue;
    erase(claimed.uid);
    if (claimed.before) insert(claimed.uid, *claimed.before);
  }
  for (const auto& uid : volume_uids) volume_claims_.erase(uid);
}

const NodeUsage& Allocations::of_node(const std::string& node_uid) const {
  static const NodeUsage kNothing;
  const auto found = nodes_.find(node_uid);
  return found == nodes_.end() ? kNothing : found->second;
}

const std::map<std::string, std::uint32_t>& Allocations::nodes_of_owner(const store::ObjectName& owner) const {
  static const std::map<std::string, std::uint32_t> kNowhere;
  const auto found = owners_.find(owner);
  return found == owners_.end() ? kNowhere : found->second;
}

std::uint32_t Allocations::run_tasks_of_stack(const std::string& stack) const {
  const auto found = run_tasks_.find(stack);
  return found == run_tasks_.end() ? 0 : found->second;
}

bool Allocations::is_network_used(const std::string& network_uid) const {
  return addresses_.contains(network_uid);
}

const std::set<std::uint32_t>& Allocations::taken_addresses(const std::string& network_uid) const {
  static const std::set<std::uint32_t> kNone;
  const auto found = addresses_.find(network_uid);
  return found == addresses_.end() ? kNone : found->second;
}

std::string Allocations::volume_claim(const std::string& volume_uid) const {
  const auto found = volume_claims_.find(volume_uid);
  return found == volume_claims_.end() ? std::string() : found->second;
}

base::Result<AddressRange> AddressRange::of(const v1::Network& network) {
  const auto subnet = core::parse_subnet(network.status().subnet());
  if (!subnet) return base::fail(base::Code::kFailedPrecondition, "it has no subnet yet");
  const auto part = core::parse_subnet(network.spec().address_range()).value_or(*subnet);
  const bool is_routed = network.spec().driver() == v1::ROUTED;
  const auto gateway = core::parse_ipv4(network.status().gateway()).value_or(is_routed ? subnet->gateway() : 0);
  return AddressRange{*subnet, std::max(part.base, subnet->base + 1), std::min(part.last(), subnet->last() - 1),
                      gateway};
}

AddressPicker::AddressPicker(const std::set<std::uint32_t>& taken, const std::set<std::uint32_t>& given,
                             const AddressRange& range)
    : taken_(taken), given_(given), range_(range), candidate_(range.first) {}

std::uint32_t AddressPicker::next() {
  const auto is_taken = [&](std::uint32_t address) {
    return address == range_.gateway || taken_.contains(address) || given_.contains(address);
  };
  while (candidate_ <= range_.last && is_taken(candidate_)) ++candidate_;
  return candidate_ <= range_.last ? candidate_++ : 0;
}

std::uint32_t highest_free_address(const std::set<std::uint32_t>& taken, const AddressRange& range) {
  for (std::uint64_t above = std::uint64_t{range.last} + 1; above > range.first; --above) {
    const auto candidate = static_cast<std::uint32_t>(above - 1);
    if (candidate != range.gateway && !taken.contains(candidate)) return candidate;
  }
  return 0;
}

}  // namespace orchion::control::controllers
