#pragma once

// Who has to go so that a task of higher priority gets a place. Part of the placement planner.

#include <set>
#include <string>
#include <vector>

#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

class Preemption {
 public:
  // `snapshot` outlives it.
  explicit Preemption(const PlacementSnapshot& snapshot) : snapshot_(snapshot) {}

  // Tasks of runs with a lower priority on the node where the fewest are enough, the newest of the lowest priority
  // first. None: where no number is enough, or where those that are ending already are. Nobody is named twice.
  std::vector<TaskPtr> victims_for(const TaskToPlace& task, std::int32_t priority);

  // Whether room is being made on the node for a task of higher priority: who took it now would have to go again.
  bool is_promised(const std::string& node_uid) const { return promised_.contains(node_uid); }

 private:
  bool fits(const NodePtr& node, const NodeUsage& usage, const TaskToPlace& task) const;

  const PlacementSnapshot& snapshot_;
  std::set<std::string> chosen_;    // uids
  std::set<std::string> promised_;  // uids of nodes that make room for a task before
};

}  // namespace orchion::control::controllers
