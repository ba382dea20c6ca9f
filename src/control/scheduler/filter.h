#pragma once

#include <cstdint>

namespace orchion::control::scheduler {

// The first filter, in this order, that a node did not pass.
enum class Filter : std::uint8_t {
  kPassed,
  kLost,
  kNotReady,
  kLeaving,
  kDrained,
  kPaused,
  kTaint,
  kVolume,
  kConstraint,
  kPlatform,
  kExecutor,
  kGpuModel,
  kAffinity,
  kTasksPerNode,
  kPorts,
  kCpus,
  kMemory,
  kDisk,
  kGpus,
};

// Which of the nodes that can is the best one.
enum class Strategy : std::uint8_t {
  kService,        // as place() says
  kSpread,         // the one with the fewest tasks of the class, then the one with the fewest tasks
  kLeastLoaded,    // the one of which the smallest share will be reserved, then the one with the fewest tasks
  kBinPack,        // the one of which the largest share is reserved, then the one with the most tasks
  kRoundRobin,     // the next in turn
  kFragmentation,  // the one whose free GPUs stay most useful for the usual work, then as kBinPack
};

}  // namespace orchion::control::scheduler
