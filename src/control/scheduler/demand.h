#pragma once

// What a task takes of a node, and what a node has of it. Plain numbers.

#include <cstdint>
#include <vector>

namespace orchion::control::scheduler {

constexpr std::uint32_t kWholeGpu = 1000;  // thousandths

// Names of GPU models as small numbers; who makes the nodes and the demands keeps the names.
using GpuModel = std::uint32_t;

struct GpuDemand {
  std::uint32_t count = 0;        // of GPUs; 0: none
  std::uint32_t milli = 0;        // of each: kWholeGpu, or less where `count` is 1
  std::int64_t memory_bytes = 0;  // that each must have; of a share: that it takes; 0: any
  std::vector<GpuModel> models;   // that will do; empty: any
  bool all = false;               // those of the node, `count` at least

  bool is_share() const { return milli < kWholeGpu; }
  std::uint64_t total_milli() const { return std::uint64_t{count} * milli; }
  bool operator==(const GpuDemand&) const = default;
};

struct Demand {
  std::int64_t nano_cpus = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  GpuDemand gpus;

  bool operator==(const Demand&) const = default;
};

struct GpuCapacity {
  GpuModel model = 0;
  std::int64_t memory_bytes = 0;
};

struct Capacity {
  std::int64_t nano_cpus = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  std::vector<GpuCapacity> gpus;  // at most kGpusMax
};

constexpr std::size_t kGpusMax = 64;  // of a node

// Which GPUs of a node a task has: a bit for each.
using GpuSet = std::uint64_t;

}  // namespace orchion::control::scheduler
