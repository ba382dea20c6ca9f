#pragma once

// What is taken: by node the reservations and host ports, by network the addresses, by service or run the nodes its
// tasks are on. An index over the view's tasks and services, kept up to date commit by commit, so that placing one task
// doesn't look at all.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/scheduler/scheduler.h"
#include "control/store/view.h"
#include "core/subnet.h"

namespace orchion::control::controllers {

struct NodeUsage {
  std::int64_t nano_cpus = 0;
  std::int64_t memory_bytes = 0;
  std::uint32_t tasks = 0;
  std::vector<scheduler::HostPort> ports;
  std::int64_t disk_bytes = 0;
  std::vector<scheduler::GpuUse> gpus;
};

// Whose task it is: its service, or its run. Runs' names have a dot, so that neither is taken for the other.
store::ObjectName owner_of(const v1::Task& task);

std::vector<scheduler::GpuUse> gpus_of(const v1::Assignment& assignment);

// What one task needs of its node beside its ports: the reservations of its container.
struct Cost {
  std::int64_t nano_cpus = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;

  static Cost of(const v1::ContainerSpec& container);
  bool operator==(const Cost&) const = default;
};

// What a plan is about to take, before the store has it.
struct Claims {
  std::vector<std::pair<v1::Task, Cost>> tasks;
  std::vector<std::pair<std::string, std::string>> volumes;  // uid of the volume, uid of the node
  std::vector<v1::Service> services;                         // with the virtual addresses they are to have
};

// By network uid.
using AddressSets = std::map<std::string, std::set<std::uint32_t>>;

// Plain data; one executor. A task that ended gives back its reservations and ports, but its addresses only when the
// object is gone: until then something may be left of it on its node. A service has its virtual addresses.
class Allocations {
 public:
  Allocations() = default;
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;

  // As the view shows it; replaces what was known or claimed for the same uid.
  void put(const v1::Task& task, const Cost& cost);
  void put(const v1::Service& service);
  void erase(const std::string& uid);

  // Until the handle is destroyed, or put() brings the real thing. Must not outlive this.
  std::shared_ptr<void> claim(const Claims& claims);

  const NodeUsage& of_node(const std::string& node_uid) const;

  // Uid of a node and how many unended tasks of the service or run are on it.
  const std::map<std::string, std::uint32_t>& nodes_of_owner(const store::ObjectName& owner) const;

  // How many unended tasks of runs the stack has on nodes.
  std::uint32_t run_tasks_of_stack(const std::string& stack) const;

  // Tasks without an assignment, deleted ones excepted.
  const std::set<store::ObjectName>& unassigned() const { return unassigned_; }

  bool is_network_used(const std::string& network_uid) const;
  const std::set<std::uint32_t>& taken_addresses(const std::string& network_uid) const;

  // The node that a plan under way gives to a volume; empty: none.
  std::string volume_claim(const std::string& volume_uid) const;

 private:
  struct Entry {
    store::ObjectName name;
    store::ObjectName owner;
    std::string node_uid;  // empty: not assigned
    bool of_run = false;
    bool live = false;  // assigned and not ended
    bool claimed = false;
    bool waiting = false;  // for an assignment
    Cost cost;
    std::vector<scheduler::HostPort> ports;
    std::vector<scheduler::GpuUse> gpus;
    std::vector<std::pair<std::string, std::uint32_t>> addresses;
  };
  struct Claimed {
    std::string uid;
    std::shared_ptr<Entry> before;  // what the claim replaced; null: nothing
  };
  struct ClaimHandle;

  static Entry entry_of(const v1::Task& task, const Cost& cost);
  static Entry entry_of(const v1::Service& service);
  Claimed claim_one(const std::string& uid, Entry entry);
  void insert(const std::string& uid, Entry entry);
  void withdraw(const std::vector<Claimed>& objects, const std::vector<std::string>& volume_uids);

  std::unordered_map<std::string, Entry> entries_;  // by uid of the task or service
  std::unordered_map<std::string, NodeUsage> nodes_;
  std::unordered_map<std::string, std::set<std::uint32_t>> addresses_;  // by network uid
  std::map<store::ObjectName, std::map<std::string, std::uint32_t>> owners_;
  std::map<std::string, std::uint32_t> run_tasks_;  // by stack
  std::set<store::ObjectName> unassigned_;
  std::unordered_map<std::string, std::string> volume_claims_;
};

// What a network has for tasks and services: all of its range that is between the subnet's base and its broadcast
// address, but the gateway.
struct AddressRange {
  core::Subnet subnet;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t gateway = 0;

  // kFailedPrecondition where the network has no subnet yet.
  static base::Result<AddressRange> of(const v1::Network& network);
};

// Hands out a network's addresses to tasks, the lowest free one first, each once. For use within one plan: nothing may
// be put or erased meanwhile.
class AddressPicker {
 public:
  // `given`: what the same plan gives to others. Both sets outlive it.
  AddressPicker(const std::set<std::uint32_t>& taken, const std::set<std::uint32_t>& given, const AddressRange& range);

  // 0: none is left.
  std::uint32_t next();

 private:
  const std::set<std::uint32_t>& taken_;
  const std::set<std::uint32_t>& given_;
  AddressRange range_;
  std::uint32_t candidate_;
};

// For a service: far from where tasks are, whose addresses come and go. 0: none is left.
std::uint32_t highest_free_address(const std::set<std::uint32_t>& taken, const AddressRange& range);

}  // namespace orchion::control::controllers
