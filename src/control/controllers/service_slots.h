#pragma once

// What is in a service's slots, and what can be said of a task from the outside. Parts of the service planner.

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/controllers/service_planner.h"
#include "core/task_changes.h"

namespace orchion::control::controllers {

struct Slot {
  TaskPtr current;               // not to go
  TaskPtr successor;             // of `current`, which moves: takes its place when it is ready there; see TaskMove
  TaskPtr former;                // the newest of those that are to go
  std::vector<TaskPtr> extras;   // more than those that are not to go: all but the best
  std::vector<TaskPtr> leaving;  // told to stop and not ended: nothing new may start beside them
};

// By number, empty ones left out.
std::map<std::uint32_t, Slot> slots_of(const std::vector<TaskPtr>& tasks);

enum class NodeCondition { kNone, kGood, kLost, kDrained, kGone };

// The nodes of a snapshot, by uid.
class NodeTable {
 public:
  // As tasks with these rules see them; `rules` outlives the table.
  NodeTable(NodeList nodes, const v1::PlacementRules& rules) : nodes_(std::move(nodes)), rules_(rules) {}

  // Of the task's node; kNone: it has none; kDrained: tasks leave it, for that or for a taint.
  NodeCondition condition_of(const v1::Task& task) const;

  // Why a task leaves its node, "is drained"; and that as a decision of whoever asked for it, else of `controller`.
  std::string why_left(const v1::Task& task) const;
  core::Decision drained(const v1::Task& task, std::string_view controller) const;

 private:
  const v1::Taint* taint_against(const v1::Task& task) const;

  const NodeList nodes_;
  const v1::PlacementRules& rules_;
};

bool is_ended(const v1::Task& task);

// When the agent of a silent node has surely stopped a task that fences. Its lease was over when the node was declared
// lost; of a node that is gone all of it (`lease`) may lie ahead. `silent_since`: uids of nodes, as in ServiceSnapshot.
base::Time fenced_by(const v1::Task& task, const v1::ContainerSpec& container,
                     const std::map<std::string, base::Time>& silent_since, base::Duration lease, Now now);

// Tells the task to stop and marks it as one that is to go. What was never assigned needs nobody's confirmation and is
// removed at once.
Unit stop_task(const v1::Task& task, v1::DesiredState desired, core::Decision why, Now now);

// A service that is to go: tasks first, then revisions, then the service itself.
Plan plan_service_removal(const ServiceSnapshot& snapshot, Now now, base::Random& random);

// "exit code 1", "it ran out of memory", or what the agent said.
std::string why_ended(const v1::Task& task);

// What a service waits for before its first tasks; empty: nothing.
std::string missing_dependency(const std::vector<DependencyFacts>& dependencies);
std::string missing_network(const ClusterSnapshot& cluster, const v1::Service& service);

}  // namespace orchion::control::controllers
