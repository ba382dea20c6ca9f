#pragma once

// A trace of tasks through the server's scheduler. Pure: the seed says it all.

#include <cstdint>
#include <map>
#include <string>

#include "bench/placement_trace.h"
#include "control/scheduler/filter.h"

namespace orchion::bench {

struct Replay {
  std::uint64_t seed = 0;
  std::size_t arrived = 0, placed = 0;
  double gpu_allocated_percent = 0;             // of all nodes' GPUs, in thousandths, when the last task has come
  std::map<std::string, std::size_t> unplaced;  // tasks by what was missing: "cpus", "memory" or "gpus"
};

// Tasks come in random order, then drawn again with replacement, until they have asked for `arrivals` times the GPUs;
// none goes; what fits nowhere is dropped. The trace has GPUs.
Replay replay(const PlacementTrace& trace, control::scheduler::Strategy strategy, double arrivals, std::uint64_t seed);

}  // namespace orchion::bench
