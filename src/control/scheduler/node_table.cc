#include "control/scheduler/node_table.h"

#include <algorithm>

namespace orchion::control::scheduler {

bool GpuState::can_give(const GpuDemand& wanted) const {
  if (free_milli < wanted.milli) return false;
  if (wanted.memory_bytes > (wanted.is_share() ? free_memory_bytes : memory_bytes)) return false;
  return wanted.models.empty() || std::find(wanted.models.begin(), wanted.models.end(), model) != wanted.models.end();
}

NodeIndex NodeTable::add(const Capacity& capacity) {
  const auto node = static_cast<NodeIndex>(size());
  const auto inverse = [](std::int64_t all) { return all > 0 ? 1.0 / static_cast<double>(all) : 0; };
  per_cpus_.push_back(inverse(capacity.nano_cpus));
  per_memory_.push_back(inverse(capacity.memory_bytes));
  free_cpus_.push_back(capacity.nano_cpus);
  free_memory_.push_back(capacity.memory_bytes);
  free_disk_.push_back(capacity.disk_bytes);
  tasks_.push_back(0);
  const auto count = std::min(capacity.gpus.size(), kGpusMax);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& gpu = capacity.gpus[i];
    gpus_.push_back({kWholeGpu, gpu.model, gpu.memory_bytes, gpu.memory_bytes});
  }
  first_gpu_.push_back(static_cast<std::uint32_t>(gpus_.size()));
  return node;
}

std::uint32_t NodeTable::gpus_that_can(NodeIndex node, const GpuDemand& wanted) const {
  std::uint32_t count = 0;
  for (const auto& gpu : gpus(node)) count += gpu.can_give(wanted) ? 1 : 0;
  return count;
}

void NodeTable::move(NodeIndex node, const Demand& demand, GpuSet gpus, int sign) {
  free_cpus_[node] += sign * demand.nano_cpus;
  free_memory_[node] += sign * demand.memory_bytes;
  free_disk_[node] += sign * demand.disk_bytes;
  if (sign < 0)
    ++tasks_[node];
  else
    --tasks_[node];
  for (std::size_t i = first_gpu_[node]; gpus != 0; ++i, gpus >>= 1) {
    if ((gpus & 1) == 0) continue;
    auto& gpu = gpus_[i];
    gpu.free_milli += static_cast<std::uint32_t>(sign) * demand.gpus.milli;
    const auto memory = demand.gpus.is_share() ? demand.gpus.memory_bytes : gpu.memory_bytes;
    gpu.free_memory_bytes += sign * memory;
  }
}

void NodeTable::reserve(NodeIndex node, const Demand& demand, std::uint32_t tasks) {
  free_cpus_[node] -= demand.nano_cpus;
  free_memory_[node] -= demand.memory_bytes;
  free_disk_[node] -= demand.disk_bytes;
  tasks_[node] += tasks;
}

void NodeTable::reserve_gpu(NodeIndex node, std::size_t gpu, std::uint32_t milli, std::int64_t memory_bytes) {
  auto& state = gpus_[first_gpu_[node] + gpu];
  state.free_milli -= std::min(state.free_milli, milli);
  state.free_memory_bytes -= memory_bytes;
}

std::size_t NodeTable::bytes() const {
  return (per_cpus_.capacity() + per_memory_.capacity()) * sizeof(double) +
         (free_cpus_.capacity() + free_memory_.capacity() + free_disk_.capacity()) * sizeof(std::int64_t) +
         (tasks_.capacity() + first_gpu_.capacity()) * sizeof(std::uint32_t) + gpus_.capacity() * sizeof(GpuState);
}

}  // namespace orchion::control::scheduler
