#pragma once

// What every node has and has left, one column for each resource, so that a look at all nodes is a walk over arrays.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "control/scheduler/demand.h"

namespace orchion::control::scheduler {

using NodeIndex = std::uint32_t;

struct GpuState {
  std::uint32_t free_milli = kWholeGpu;
  GpuModel model = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t free_memory_bytes = 0;

  // Whether it can be one of those that the demand gets.
  bool can_give(const GpuDemand& wanted) const;
};

// Plain data; one executor. Nodes are numbered as they come; what is left of a node that has promised more than it has
// is below zero.
class NodeTable {
 public:
  NodeIndex add(const Capacity& capacity);

  std::size_t size() const { return free_cpus_.size(); }

  // Takes and gives back. `gpus` has as many as the demand counts.
  void take(NodeIndex node, const Demand& demand, GpuSet gpus) { move(node, demand, gpus, -1); }
  void give_back(NodeIndex node, const Demand& demand, GpuSet gpus) { move(node, demand, gpus, 1); }

  // What isn't asked for is never lacking, also on a node that has promised more than it has.
  bool lacks_cpus(NodeIndex node, const Demand& demand) const {
    return demand.nano_cpus > 0 && demand.nano_cpus > free_cpus_[node];
  }
  bool lacks_memory(NodeIndex node, const Demand& demand) const {
    return demand.memory_bytes > 0 && demand.memory_bytes > free_memory_[node];
  }
  bool lacks_disk(NodeIndex node, const Demand& demand) const {
    return demand.disk_bytes > 0 && demand.disk_bytes > free_disk_[node];
  }
  bool lacks_gpus(NodeIndex node, const Demand& demand) const {
    return demand.gpus.count > 0 && gpus_that_can(node, demand.gpus) < gpus_wanted(node, demand.gpus);
  }
  bool fits(NodeIndex node, const Demand& demand) const {
    return !lacks_cpus(node, demand) && !lacks_memory(node, demand) && !lacks_disk(node, demand) &&
           !lacks_gpus(node, demand);
  }

  // How many GPUs of this node the demand is for.
  std::uint32_t gpus_wanted(NodeIndex node, const GpuDemand& wanted) const {
    const auto all = static_cast<std::uint32_t>(gpus(node).size());
    return wanted.all && all > wanted.count ? all : wanted.count;
  }
  // How many of its GPUs could be given to the demand.
  std::uint32_t gpus_that_can(NodeIndex node, const GpuDemand& wanted) const;

  // Of all that the node has; 0 where it has none.
  double cpus_share(NodeIndex node, std::int64_t part) const { return static_cast<double>(part) * per_cpus_[node]; }
  double memory_share(NodeIndex node, std::int64_t part) const { return static_cast<double>(part) * per_memory_[node]; }
  std::int64_t free_cpus(NodeIndex node) const { return free_cpus_[node]; }
  std::int64_t free_memory(NodeIndex node) const { return free_memory_[node]; }
  std::int64_t free_disk(NodeIndex node) const { return free_disk_[node]; }
  std::uint32_t tasks(NodeIndex node) const { return tasks_[node]; }
  std::span<const GpuState> gpus(NodeIndex node) const {
    return {gpus_.data() + first_gpu_[node], first_gpu_[node + 1] - first_gpu_[node]};
  }

  // Of a task that is there already, or of the system: it counts as a task where `tasks` says so.
  void reserve(NodeIndex node, const Demand& demand, std::uint32_t tasks);
  // Thousandths and bytes of one GPU, that something has which isn't placed here.
  void reserve_gpu(NodeIndex node, std::size_t gpu, std::uint32_t milli, std::int64_t memory_bytes);

  std::size_t bytes() const;  // that all of it takes

 private:
  void move(NodeIndex node, const Demand& demand, GpuSet gpus, int sign);

  std::vector<double> per_cpus_, per_memory_;  // one over what there is
  std::vector<std::int64_t> free_cpus_, free_memory_, free_disk_;
  std::vector<std::uint32_t> tasks_;
  std::vector<std::uint32_t> first_gpu_{0};  // in gpus_; one more than there are nodes
  std::vector<GpuState> gpus_;
};

}  // namespace orchion::control::scheduler
