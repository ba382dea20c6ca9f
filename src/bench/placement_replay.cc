#include "bench/placement_replay.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/random.h"
#include "control/scheduler/engine.h"

namespace orchion::bench {

namespace {

using control::scheduler::ClassIndex;
using control::scheduler::ClassRules;
using control::scheduler::Filter;
using control::scheduler::kWholeGpu;
using control::scheduler::NodeIndex;
using control::scheduler::PlacementEngine;
using control::scheduler::Strategy;

// What the node that came closest was missing: filters are asked in their order.
std::string missing(const PlacementEngine& engine, ClassIndex wanted) {
  auto furthest = Filter::kPassed;
  for (NodeIndex node = 0; node < engine.nodes().size(); ++node)
    furthest = std::max(furthest, engine.refusal(wanted, node));
  switch (furthest) {
    case Filter::kCpus: return "cpus";
    case Filter::kMemory: return "memory";
    default: return "gpus";
  }
}

// All of the file in random order, then some of it again.
std::vector<ClassIndex> arrivals_of(const PlacementTrace& trace, double arrivals, base::Random& random) {
  std::vector<ClassIndex> order(trace.tasks.begin(), trace.tasks.end());
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  std::vector<ClassIndex> coming;
  const double enough = arrivals * static_cast<double>(trace.gpus * kWholeGpu);
  double asked = 0;
  while (asked < enough) {
    const auto wanted =
        coming.size() < order.size() ? order[coming.size()] : trace.tasks[random.below(trace.tasks.size())];
    coming.push_back(wanted);
    asked += static_cast<double>(trace.classes[wanted].gpus.total_milli());
  }
  return coming;
}

}  // namespace

Replay replay(const PlacementTrace& trace, Strategy strategy, double arrivals, std::uint64_t seed) {
  base::Random random(seed);
  PlacementEngine engine(random.next());
  for (const auto& node : trace.nodes) engine.add_node(node, 0);
  for (const auto& demand : trace.classes) {
    ClassRules rules;
    rules.demand = demand;
    rules.strategy = strategy;
    rules.group = engine.add_group();
    engine.add_class(std::move(rules));
  }
  Replay result{seed, 0, 0, 0, {}};
  double given = 0;
  std::map<ClassIndex, std::string> reasons;  // none goes, so that they stay
  for (const auto wanted : arrivals_of(trace, arrivals, random)) {
    ++result.arrived;
    engine.arrived(wanted);
    if (engine.decide(wanted)) {
      ++result.placed;
      given += static_cast<double>(trace.classes[wanted].gpus.total_milli());
      continue;
    }
    auto& reason = reasons[wanted];
    if (reason.empty()) reason = missing(engine, wanted);
    ++result.unplaced[reason];
  }
  result.gpu_allocated_percent = 100 * given / static_cast<double>(trace.gpus * kWholeGpu);
  return result;
}

}  // namespace orchion::bench
