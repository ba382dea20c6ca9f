#include "control/controllers/preemption.h"

#include <algorithm>
#include <tuple>

namespace orchion::control::controllers {

namespace {

void take_off(const PlacedTask& placed, NodeUsage& usage) {
  usage.nano_cpus -= placed.cost.nano_cpus;
  usage.memory_bytes -= placed.cost.memory_bytes;
  usage.disk_bytes -= placed.cost.disk_bytes;
  for (const auto& gpu : gpus_of(placed.task->spec().assignment()))
    if (const auto found = std::find(usage.gpus.begin(), usage.gpus.end(), gpu); found != usage.gpus.end())
      usage.gpus.erase(found);
  if (usage.tasks > 0) --usage.tasks;
  const auto owner = owner_of(*placed.task);
  for (const auto& port : placed.task->spec().assignment().ports()) {
    const auto mine = scheduler::HostPort::of(port, scheduler::HostPort::owner_of(owner.stack, owner.name));
    const auto found = std::find(usage.ports.begin(), usage.ports.end(), mine);
    if (found != usage.ports.end()) usage.ports.erase(found);
  }
}

bool is_leaving(const PlacedTask& placed) {
  return placed.task->spec().desired_state() != v1::DESIRED_RUNNING;
}

// Who has lost least goes first.
bool goes_before(const PlacedTask* a, const PlacedTask* b) {
  const auto key = [](const PlacedTask& placed) {
    const auto& made = placed.task->meta().created_at();
    return std::tuple(placed.priority, -made.seconds(), -made.nanos(), placed.task->meta().name());
  };
  return key(*a) < key(*b);
}

}  // namespace

bool Preemption::fits(const NodePtr& node, const NodeUsage& usage, const TaskToPlace& task) const {
  ClusterSnapshot alone = snapshot_.cluster;
  alone.nodes = NodeList({node});
  alone.usage_if[node->meta().uid()] = usage;
  return place_tasks(alone, {task}, 0).front().assignment.has_value();
}

std::vector<TaskPtr> Preemption::victims_for(const TaskToPlace& task, std::int32_t priority) {
  std::vector<TaskPtr> best;
  std::string best_node;
  for (const auto& node : snapshot_.cluster.nodes) {
    const auto& uid = node->meta().uid();
    if (promised_.contains(uid)) continue;
    NodeUsage usage = snapshot_.cluster.allocations->of_node(uid);
    std::vector<const PlacedTask*> candidates;
    for (const auto& placed : snapshot_.placed) {
      if (placed.task->spec().assignment().node_uid() != uid) continue;
      if (is_leaving(placed)) {
        take_off(placed, usage);
      } else if (placed.priority < priority && !chosen_.contains(placed.task->meta().uid())) {
        candidates.push_back(&placed);
      }
    }
    if (fits(node, usage, task)) {
      promised_.insert(uid);
      return {};
    }
    std::sort(candidates.begin(), candidates.end(), goes_before);
    std::vector<TaskPtr> victims;
    for (const auto* candidate : candidates) {
      if (!best.empty() && victims.size() + 1 >= best.size()) break;
      take_off(*candidate, usage);
      victims.push_back(candidate->task);
      if (!fits(node, usage, task)) continue;
      best = victims;
      best_node = uid;
      break;
    }
  }
  if (!best.empty()) promised_.insert(best_node);
  for (const auto& victim : best) chosen_.insert(victim->meta().uid());
  return best;
}

}  // namespace orchion::control::controllers
