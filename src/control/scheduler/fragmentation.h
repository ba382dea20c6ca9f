#pragma once

// How much free GPU of a node the usual work can't use.
//
// After "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent" (Weng et al.,
// USENIX ATC 2023): a node's fragmentation is the expectation, over the mix of tasks, of the free GPU that a task of
// the mix finds there and can't use, and a task goes where it lets that grow least. Theirs asks whether one task would
// fit, and so calls GPUs usable that are out of reach when its processors or memory are gone, and remainders that no
// second task can use. Here the mean is taken of that and of what stays unused when tasks of the one kind fill the
// node: what is lost next, and what is lost in the end.

#include <cstdint>
#include <span>
#include <vector>

#include "control/scheduler/node_table.h"

namespace orchion::control::scheduler {

// The mix of work as it arrives, learned from nothing else: how often each class of tasks that need GPUs came, what was
// long ago counting less.
class WorkMix {
 public:
  struct Kind {
    std::uint32_t work = 0;  // index of its class
    double popularity = 0;   // of all kinds together 1
  };

  // `work`: a small number for the class.
  void arrived(std::uint32_t work);

  // The kinds that come most often; empty: nothing came yet. They change now and then, not with each arrival, and
  // version() with them.
  const std::vector<Kind>& kinds() const { return kinds_; }
  std::uint64_t version() const { return version_; }

 private:
  void settle();

  std::vector<double> counts_;  // by class
  double total_ = 0;
  std::uint64_t arrivals_ = 0, next_settling_ = 1;
  std::vector<Kind> kinds_;
  std::uint64_t version_ = 0;
};

// Measures nodes by a mix. A copy of what it needs of the mix: small and in the order in which it is used.
class FragmentationMeasure {
 public:
  // One kind of work.
  struct Work {
    Demand demand;
    double popularity = 0;
  };

  explicit FragmentationMeasure(const std::vector<Work>& mix);

  // The free part of a node.
  struct Free {
    std::int64_t nano_cpus = 0;
    std::int64_t memory_bytes = 0;
    std::span<const GpuState> gpus;
  };

  // Thousandths of a GPU that are expected to be of no use.
  double of(const Free& node) const;

 private:
  // Kinds that want the same of GPUs, and differ in the rest.
  struct Rest {
    double cpus = 0, memory = 0;  // one over what is wanted; 0: nothing
    double popularity = 0;
  };
  struct Group {
    GpuDemand gpus;
    double per_milli = 0;  // one over `gpus.milli`
    std::vector<Rest> rests;
  };
  std::vector<Group> groups_;
};

}  // namespace orchion::control::scheduler
