#include "control/scheduler/loaded_engine.h"

#include <algorithm>
#include <string_view>

#include "control/scheduler/node_filters.h"
#include "core/constraints.h"

namespace orchion::control::scheduler {

namespace {

constexpr std::string_view kLabelPrefix = "node.labels.";
constexpr std::int64_t kGone = -2;
constexpr GpuModel kNoModel = 0;

}  // namespace

LoadedEngine::LoadedEngine(const PlacementInput& input) : input_(input), engine_(input.seed) {
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

void LoadedEngine::add_node(const NodeView& view, std::uint32_t index) {
  const auto& capabilities = view.node->status().capabilities();
  const auto& system = view.node->spec().reserved();
  Capacity capacity{capabilities.nano_cpus(), capabilities.memory_bytes(), capabilities.disk_bytes(), {}};
  for (const auto& gpu : capabilities.gpus()) capacity.gpus.push_back({model_of(gpu), gpu.memory_bytes()});
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

GroupIndex LoadedEngine::add_group() {
  ++groups_;
  return engine_.add_group();
}

GpuModel LoadedEngine::model_of(const v1::Gpu& gpu) {
  return models_.try_emplace({gpu.vendor(), gpu.model()}, static_cast<GpuModel>(models_.size() + 1)).first->second;
}

GpuDemand LoadedEngine::demand_of(const v1::GpuRequest& request) const {
  GpuDemand demand;
  demand.count = request.share_milli() > 0 || request.all() ? 1 : request.count();
  demand.all = request.all();
  demand.milli = request.share_milli() > 0 ? request.share_milli() : kWholeGpu;
  demand.memory_bytes = request.memory_bytes();
  if (request.models().empty() && request.vendor().empty()) return demand;
  for (const auto& [gpu, model] : models_)
    if (will_do(request, gpu.first, gpu.second)) demand.models.push_back(model);
  if (demand.models.empty()) demand.models.push_back(kNoModel);
  return demand;
}

// By the label's values; nodes without it are in none.
DomainColumn LoadedEngine::column_of(const std::string& key) {
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
void LoadedEngine::add_class(const TaskClass& wanted) {
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

Refusal LoadedEngine::check(const TaskClass& wanted, std::size_t n) const {
  const v1::Node& node = *input_.nodes[n].node;
  if (Refusal refused = check_condition(node); refused.filter != Filter::kPassed) return refused;
  if (Refusal refused = check_taints(node, wanted); refused.filter != Filter::kPassed) return refused;
  return check_attributes(node, wanted);
}

}  // namespace orchion::control::scheduler
