#pragma once

#include <string>
#include <vector>

#include "control/scheduler/scheduler.h"

namespace orchion::control::scheduler {

// What one node said, with what is needed to say it.
struct Refusal {
  Filter filter = Filter::kPassed;
  // kVolume: its name; kConstraint: its text; kPlatform: the node's; kExecutor: what is asked for; kPorts: the port;
  // kTaint: the taint; kGpuModel: what the node has
  std::string detail;
  std::int64_t free = 0;  // kCpus, kMemory, kDisk; kGpus: that could be given
};

// "0 of 3 nodes: 2 lack memory (need 4 GiB, free 1.2), 1 is drained": equal refusals together, the most frequent first;
// "free" is that of the node that has most.
std::string explain(const TaskClass& wanted, const std::vector<Refusal>& refusals);

}  // namespace orchion::control::scheduler
