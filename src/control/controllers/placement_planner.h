#pragma once

// From "these tasks need a place" to assignments: node, addresses and host ports, or the sentence that says why not.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/controllers/allocations.h"
#include "control/controllers/plan.h"
#include "control/store/view.h"

namespace orchion::control::controllers {

using NodePtr = std::shared_ptr<const v1::Node>;
using TaskPtr = std::shared_ptr<const v1::Task>;
using RevisionPtr = std::shared_ptr<const v1::Revision>;

// What placing needs to know of the cluster. Plain: pointers to objects that don't change.
struct ClusterSnapshot {
  std::vector<NodePtr> nodes;
  const Allocations* allocations = nullptr;
  std::map<store::ObjectName, std::shared_ptr<const v1::Network>> networks;  // of the stacks concerned
  std::map<store::ObjectName, std::shared_ptr<const v1::Volume>> volumes;    // of the stacks concerned
  std::map<std::string, std::shared_ptr<const v1::Image>> images;            // by full name, where known
};

struct TaskToPlace {
  store::ObjectName service;
  RevisionPtr revision;
};

// Either an assignment or a message.
struct Placement {
  std::optional<v1::Assignment> assignment;
  std::string message;
  std::vector<std::shared_ptr<const v1::Volume>> pins;  // volumes whose data will be on the node from now on
};

// One per task, in their order. Places of one call don't collide with each other.
std::vector<Placement> place_tasks(const ClusterSnapshot& cluster, const std::vector<TaskToPlace>& tasks,
                                   std::uint64_t seed);

// Gives the task its assignment, or its message; the claims and the writes that go with it. Volumes are pinned once:
// `plan` knows which were.
void apply_placement(const Placement& placement, const Cost& cost, v1::Task& task, Unit& unit, Plan& plan);

// Tasks that wait for a place, with their revisions.
struct PlacementSnapshot {
  ClusterSnapshot cluster;
  std::vector<std::pair<TaskPtr, RevisionPtr>> tasks;
};

// A message is written only where it says something else than before.
Plan plan_placement(const PlacementSnapshot& snapshot, Now now, base::Random& random);

// "web.2": how messages call a task.
std::string short_name(const v1::Task& task);

}  // namespace orchion::control::controllers
