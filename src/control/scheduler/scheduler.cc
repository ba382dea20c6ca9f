#include "control/scheduler/scheduler.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "control/scheduler/engine.h"
#include "control/scheduler/node_filters.h"

#include "core/constraints.h"

namespace orchion::control::scheduler {

namespace {

constexpr std::string_view kLabelPrefix = "node.labels.";
constexpr std::string_view kTogether = "its tasks are started together, and not all find a place: ";

// Objects as numbers for an engine, and its answers as words.
class Placer {
 public:
  explicit Placer(const PlacementInput& input) : input_(input), engine_(input.seed) {
    for (std::size_t n = 0; n < input.nodes.size(); ++n) add_node(input.nodes[n], static_cast<std::uint32_t>(n));
    for (const auto& volume : input.volumes)
      engine_.add_volume(volume.node == VolumeView::kAnywhere ? PlacementEngine::kAnywhere
                         : volume.node == VolumeView::kGone   ? kGone
                                                              : volume.node);
    for (const auto& group : input.groups) {
      const auto index = add_group();
      for (const auto& [node, count] : group.placed) engine_.count_in(index, static_cast<NodeIndex>(node), count);
    }
    for (const auto& wanted : input.classes) add_class(wanted);
  }

  std::vector<Decision> place() {
    for (const auto task : input_.tasks) engine_.arrived(static_cast<ClassIndex>(task));
    std::vector<Decision> decisions;
    decisions.reserve(input_.tasks.size());
    for (const auto task : input_.tasks) {
      decisions.push_back(place(task, decisions.size()));
      if (input_.classes[task].together && decisions.back().node == Decision::kNone) give_back(task, decisions);
    }
    return decisions;
  }

 private:
  static constexpr std::int64_t kGone = -2;

  void add_node(const NodeView& view, std::uint32_t index) {
    const auto& capabilities = view.node->status().capabilities();
    const auto& system = view.node->spec().reserved();
    Capacity capacity{capabilities.nano_cpus(), capabilities.memory_bytes(), capabilities.disk_bytes(), {}};
    for (const auto& gpu : capabilities.gpus()) capacity.gpus.push_back({model_of(gpu.model()), gpu.memory_bytes()});
    const auto node = engine_.add_node(capacity, index);
    const auto gpus = static_cast<std::size_t>(std::min<int>(capabilities.gpus_size(), kGpusMax));
    engine_.reserve(node,
                    {view.reserved_nano_cpus + system.nano_cpus(),
                     view.reserved_memory_bytes + system.memory_bytes(),
                     view.reserved_disk_bytes + system.disk_bytes(),
                     {}},
                    view.tasks, view.ports);
    for (const auto& use : view.gpus)
      for (std::size_t i = 0; i < gpus; ++i)
        if (const auto& gpu = capabilities.gpus(static_cast<int>(i)); gpu.id() == use.id)
          engine_.reserve_gpu(node, i, use.share_milli,
                              use.share_milli >= kWholeGpu ? gpu.memory_bytes() : use.memory_bytes);
  }

  GroupIndex add_group() {
    ++groups_;
    return engine_.add_group();
  }

  GpuModel model_of(const std::string& name) {
    return models_.try_emplace(name, static_cast<GpuModel>(models_.size() + 1)).first->second;
  }

  GpuDemand demand_of(const v1::GpuRequest& request) {
    GpuDemand demand;
    demand.count = request.share_milli() > 0 ? 1 : request.count();
    demand.milli = request.share_milli() > 0 ? request.share_milli() : kWholeGpu;
    demand.memory_bytes = request.memory_bytes();
    for (const auto& model : request.models()) demand.models.push_back(model_of(model));
    return demand;
  }

  // By the label's values; nodes without it are in none.
  DomainColumn column_of(const std::string& key) {
    const auto [it, added] = columns_.try_emplace(key, static_cast<DomainColumn>(columns_.size()));
    if (!added) return it->second;
    const std::string label = key.starts_with(kLabelPrefix) ? key.substr(kLabelPrefix.size()) : key;
    std::map<std::string, std::uint32_t> numbers;
    std::vector<std::uint32_t> values;
    for (const auto& view : input_.nodes) {
      const auto labels = core::node_labels(*view.node);
      const auto found = labels.find(label);
      values.push_back(
          found == labels.end()
              ? 0
              : numbers.try_emplace(found->second, static_cast<std::uint32_t>(numbers.size() + 1)).first->second);
    }
    engine_.set_domains(it->second, std::move(values));
    return it->second;
  }

  // A class of a group that isn't described is the first of it.
  void add_class(const TaskClass& wanted) {
    while (groups_ <= wanted.group) add_group();
    ClassRules rules;
    rules.demand = {wanted.nano_cpus, wanted.memory_bytes, wanted.disk_bytes, demand_of(wanted.gpus)};
    rules.strategy = wanted.strategy;
    rules.turn = wanted.turn;
    rules.group = static_cast<GroupIndex>(wanted.group);
    rules.allowed = [this, &wanted](NodeIndex n) { return check(wanted, n).filter == Filter::kPassed; };
    rules.ports = wanted.ports;
    rules.volumes.assign(wanted.volumes.begin(), wanted.volumes.end());
    for (const auto& [node, rank] : wanted.avoided) rules.avoided.emplace_back(static_cast<NodeIndex>(node), rank);
    for (std::size_t n = 0; n < input_.nodes.size(); ++n)
      if (prefers_others(*input_.nodes[n].node, wanted)) rules.unloved.push_back(static_cast<NodeIndex>(n));
    for (const auto& key : wanted.spread_over) rules.spread_over.push_back(column_of(key));
    for (const auto& affinity : wanted.affinities)
      rules.neighbours.push_back({static_cast<GroupIndex>(affinity.group),
                                  affinity.domain.empty() ? std::nullopt : std::optional(column_of(affinity.domain)),
                                  affinity.away, affinity.preferred});
    rules.tasks_per_node_max = wanted.tasks_per_node_max;
    engine_.add_class(std::move(rules));
  }

  Refusal check(const TaskClass& wanted, std::size_t n) const {
    const v1::Node& node = *input_.nodes[n].node;
    if (Refusal refused = check_condition(node); refused.filter != Filter::kPassed) return refused;
    if (Refusal refused = check_taints(node, wanted); refused.filter != Filter::kPassed) return refused;
    return check_attributes(node, wanted);
  }

  // What goes together and doesn't fit as a whole leaves its places to who comes after.
  void give_back(std::size_t index, std::vector<Decision>& decisions) {
    auto& failure = failures_[index];
    if (failure.starts_with(kTogether)) return;
    failure = std::string(kTogether) + failure;
    broken_.insert(index);
    decisions.back().reason = failure;
    for (const auto& [decision, spot] : together_[index]) {
      engine_.release(static_cast<ClassIndex>(index), spot);
      decisions[decision] = {Decision::kNone, failure, {}};
    }
    together_.erase(index);
  }

  Decision place(std::size_t index, std::size_t nth) {
    if (broken_.contains(index)) return {Decision::kNone, failures_[index], {}};
    const auto wanted = static_cast<ClassIndex>(index);
    const auto spot = engine_.decide(wanted);
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
    const auto filter = engine_.refusal(index, n);
    switch (filter) {
      case Filter::kVolume: return {filter, input_.volumes[*engine_.missing_volume(index, n)].name};
      case Filter::kConstraint: return check_attributes(*input_.nodes[n].node, wanted);
      case Filter::kPorts: return {filter, engine_.collision(index, n)->text()};
      case Filter::kCpus: return {filter, {}, engine_.nodes().free_cpus(n)};
      case Filter::kMemory: return {filter, {}, engine_.nodes().free_memory(n)};
      case Filter::kDisk: return {filter, {}, engine_.nodes().free_disk(n)};
      case Filter::kGpus: return {filter, {}, engine_.nodes().gpus_that_can(n, engine_.rules(index).demand.gpus)};
      default: return {filter, {}};
    }
  }

  std::vector<Refusal> refusals(ClassIndex index) const {
    std::vector<Refusal> all;
    for (NodeIndex n = 0; n < input_.nodes.size(); ++n) all.push_back(refusal(index, n));
    return all;
  }

  const PlacementInput& input_;
  PlacementEngine engine_;
  std::size_t groups_ = 0;
  std::unordered_map<std::string, GpuModel> models_;
  std::map<std::string, DomainColumn> columns_;
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
