#pragma once

#include <string>
#include <vector>

#include "control/scheduler/scheduler.h"

namespace orchion::control::scheduler {

// The first filter, in this order, that a node did not pass.
enum class Filter : std::uint8_t {
  kPassed,
  kLost,
  kNotReady,
  kLeaving,
  kDrained,
  kPaused,
  kVolume,
  kConstraint,
  kPlatform,
  kExecutor,
  kPorts,
  kCpus,
  kMemory,
};

// What one node said, with what is needed to say it.
struct Refusal {
  Filter filter = Filter::kPassed;
  std::string detail;     // kVolume: its name; kConstraint: its text; kPlatform: the node's; kExecutor: what is
                          // asked for; kPorts: the port
  std::int64_t free = 0;  // kCpus, kMemory
};

// "0 of 3 nodes: 2 lack memory (need 4 GiB, free 1.2), 1 is drained": equal refusals together, the most frequent first;
// "free" is that of the node that has most.
std::string explain(const TaskClass& wanted, const std::vector<Refusal>& refusals);

}  // namespace orchion::control::scheduler
