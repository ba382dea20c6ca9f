#include "control/scheduler/fragmentation.h"

#include <algorithm>
#include <limits>

namespace orchion::control::scheduler {

namespace {

constexpr double kMemoryOfMix = 16384;    // arrivals after which older ones count half
constexpr std::size_t kKindsMax = 128;    // the rarest beyond these say little
constexpr std::uint64_t kSettleMin = 32;  // arrivals between two looks at the counts, at first

}  // namespace

void WorkMix::arrived(std::uint32_t work) {
  if (counts_.size() <= work) counts_.resize(work + 1);
  ++counts_[work];
  ++total_;
  if (++arrivals_ >= next_settling_) settle();
}

void WorkMix::settle() {
  next_settling_ = arrivals_ + std::max(kSettleMin, static_cast<std::uint64_t>(total_ / 8));
  if (total_ > kMemoryOfMix) {
    for (auto& count : counts_) count /= 2;
    total_ /= 2;
  }
  kinds_.clear();
  for (std::uint32_t work = 0; work < counts_.size(); ++work)
    if (counts_[work] > 0) kinds_.push_back({work, counts_[work]});
  std::stable_sort(kinds_.begin(), kinds_.end(),
                   [](const Kind& a, const Kind& b) { return a.popularity > b.popularity; });
  if (kinds_.size() > kKindsMax) kinds_.resize(kKindsMax);
  double sum = 0;
  for (const auto& kind : kinds_) sum += kind.popularity;
  for (auto& kind : kinds_) kind.popularity /= sum;
  ++version_;
}

FragmentationMeasure::FragmentationMeasure(const std::vector<Work>& mix) {
  for (const auto& work : mix) {
    const auto& wanted = work.demand;
    if (wanted.gpus.count == 0) continue;
    auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.gpus == wanted.gpus; });
    if (group == groups_.end()) {
      groups_.push_back({wanted.gpus, 1.0 / wanted.gpus.milli, {}});
      group = groups_.end() - 1;
    }
    const auto inverse = [](std::int64_t amount) { return amount > 0 ? 1.0 / static_cast<double>(amount) : 0; };
    group->rests.push_back({inverse(wanted.nano_cpus), inverse(wanted.memory_bytes), work.popularity});
  }
}

double FragmentationMeasure::of(const Free& node) const {
  double total = 0;
  for (const auto& gpu : node.gpus) total += gpu.free_milli;
  if (total == 0) return 0;
  const auto cpus = static_cast<double>(node.nano_cpus), memory = static_cast<double>(node.memory_bytes);
  double sum = 0;
  for (const auto& group : groups_) {
    double usable = 0;         // of GPUs where one more would fit
    std::uint32_t places = 0;  // GPUs for one more
    std::uint32_t copies = 0;  // how many would fit by their GPUs alone, one after another
    for (const auto& gpu : node.gpus) {
      if (!gpu.can_give(group.gpus)) continue;
      usable += gpu.free_milli;
      ++places;
      auto fit = static_cast<std::uint32_t>(gpu.free_milli * group.per_milli + 1e-9);
      if (group.gpus.is_share() && group.gpus.memory_bytes > 0)
        fit = std::min(fit, static_cast<std::uint32_t>(gpu.free_memory_bytes / group.gpus.memory_bytes));
      copies += fit;
    }
    const bool fits = places >= group.gpus.count;
    const double by_gpus = fits ? copies / group.gpus.count : 0;
    for (const auto& rest : group.rests) {
      // By its processors and memory: how many; the smallest bit more than asked for is rounding.
      double most = by_gpus;
      if (rest.cpus > 0) most = std::min(most, cpus * rest.cpus + 1e-9);
      if (rest.memory > 0) most = std::min(most, memory * rest.memory + 1e-9);
      const auto filled = most < 1 ? 0.0 : static_cast<double>(static_cast<std::int64_t>(most));
      const double next = filled < 1 ? total : total - usable;
      const double in_the_end = total - filled * static_cast<double>(group.gpus.total_milli());
      sum += rest.popularity * (next + in_the_end) / 2;
    }
  }
  return sum;
}

}  // namespace orchion::control::scheduler
