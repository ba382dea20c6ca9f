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

 private:
  bool fits(const NodePtr& node, const NodeUsage& usage, const TaskToPlace& task) const;

  const PlacementSnapshot& snapshot_;
  std::set<std::string> chosen_;  // uids
  std::set<std::string> spent_;   // uids of nodes whose room is promised to a task before
};

}  // namespace orchion::control::controllers
