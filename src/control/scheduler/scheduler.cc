#include "control/scheduler/scheduler.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "control/scheduler/loaded_engine.h"
#include "control/scheduler/node_filters.h"

namespace orchion::control::scheduler {

namespace {

constexpr std::string_view kTogether = "its tasks are started together, and not all find a place: ";

// An engine's answers as words.
class Placer {
 public:
  explicit Placer(const PlacementInput& input) : input_(input), engine_(input) {}

  std::vector<Decision> place() {
    for (const auto task : input_.tasks) engine_->arrived(static_cast<ClassIndex>(task));
    std::vector<Decision> decisions;
    decisions.reserve(input_.tasks.size());
    for (const auto task : input_.tasks) {
      decisions.push_back(place(task, decisions.size()));
      if (input_.classes[task].together && decisions.back().node == Decision::kNone) give_back(task, decisions);
    }
    return decisions;
  }

 private:
  // What goes together and doesn't fit as a whole leaves its places to who comes after.
  void give_back(std::size_t index, std::vector<Decision>& decisions) {
    auto& failure = failures_[index];
    if (failure.starts_with(kTogether)) return;
    failure = std::string(kTogether) + failure;
    broken_.insert(index);
    decisions.back().reason = failure;
    for (const auto& [decision, spot] : together_[index]) {
      engine_->release(static_cast<ClassIndex>(index), spot);
      decisions[decision] = {Decision::kNone, failure, {}};
    }
    together_.erase(index);
  }

  Decision place(std::size_t index, std::size_t nth) {
    if (broken_.contains(index)) return {Decision::kNone, failures_[index], {}};
    const auto wanted = static_cast<ClassIndex>(index);
    const auto spot = engine_->decide(wanted);
    if (!spot) {
      auto& failure = failures_[index];
      // What wants neighbours may be told something else each time: others of the same call may have come.
      if (failure.empty() || !input_.classes[index].affinities.empty())
        failure = explain(input_.classes[index], refusals(wanted));
      return {Decision::kNone, failure, {}};
    }
    if (input_.classes[index].together) together_[index].emplace_back(nth, *spot);
    Decision decision{static_cast<int>(spot->node), {}, {}};
    const auto& request = input_.classes[index].gpus;
    const auto& gpus = input_.nodes[spot->node].node->status().capabilities().gpus();
    for (int i = 0; i < gpus.size() && i < static_cast<int>(kGpusMax); ++i)
      if ((spot->gpus >> i & 1) != 0)
        decision.gpus.push_back({gpus[i].id(), request.share_milli() > 0 ? request.share_milli() : kWholeGpu,
                                 request.share_milli() > 0 ? request.memory_bytes() : 0});
    return decision;
  }

  Refusal refusal(ClassIndex index, NodeIndex n) const {
    const auto& wanted = input_.classes[index];
    if (Refusal refused = check_condition(*input_.nodes[n].node); refused.filter != Filter::kPassed) return refused;
    if (Refusal refused = check_taints(*input_.nodes[n].node, wanted); refused.filter != Filter::kPassed)
      return refused;
    const auto filter = engine_->refusal(index, n);
    switch (filter) {
      case Filter::kVolume: return {filter, input_.volumes[*engine_->missing_volume(index, n)].name};
      case Filter::kConstraint: return check_attributes(*input_.nodes[n].node, wanted);
      case Filter::kPorts: return {filter, engine_->collision(index, n)->text()};
      case Filter::kCpus: return {filter, {}, engine_->nodes().free_cpus(n)};
      case Filter::kMemory: return {filter, {}, engine_->nodes().free_memory(n)};
      case Filter::kDisk: return {filter, {}, engine_->nodes().free_disk(n)};
      case Filter::kGpus: return {filter, {}, engine_->nodes().gpus_that_can(n, engine_->rules(index).demand.gpus)};
      default: return {filter, {}};
    }
  }

  std::vector<Refusal> refusals(ClassIndex index) const {
    std::vector<Refusal> all;
    for (NodeIndex n = 0; n < input_.nodes.size(); ++n) all.push_back(refusal(index, n));
    return all;
  }

  const PlacementInput& input_;
  LoadedEngine engine_;
  std::unordered_map<std::size_t, std::string> failures_;  // by class
  // By class of what goes together: the decisions that were made, and the classes that gave theirs back.
  std::unordered_map<std::size_t, std::vector<std::pair<std::size_t, Spot>>> together_;
  std::set<std::size_t> broken_;
};

}  // namespace

std::vector<Decision> place(const PlacementInput& input) {
  return Placer(input).place();
}

}  // namespace orchion::control::scheduler
