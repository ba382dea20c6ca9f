#pragma once

// From a run that may begin to its tasks, and to how it ended.

#include <map>
#include <string>
#include <vector>

#include "control/controllers/job_planner.h"
#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

struct RunSnapshot {
  RunPtr run;                  // null: it is gone
  std::vector<TaskPtr> tasks;  // deleted ones included
  NodeList nodes;
  bool replacement_paused = false;
  // As in ServiceSnapshot.
  std::map<std::string, base::Time> ended_since;
  std::map<std::string, base::Time> silent_since;
  base::Duration lease{};
};

// One step of a run that is at work:
// - a task for each index that isn't done, `parallelism` of them at a time, the lowest first; without a place, since
// the
//   placement controller keeps the order between runs;
// - a failed task followed by another of its index, after the backoff and as often as `retries` allows. That a node is
//   lost, drained or removed, or that a task makes room for another, is no failure of the run's: such a task is
//   followed by another at once, on a lost node as the job's on_node_loss says, with FENCE only when it has surely
//   ended;
// - where an index has failed for good, or the deadline is over, or somebody cancelled it: every task stopped, and the
//   run is over when the last has ended.
// Tasks that ended stay as long as the run, with what they wrote. A run that is being deleted takes its tasks along.
Plan plan_run(const RunSnapshot& snapshot, Now now, base::Random& random);

}  // namespace orchion::control::controllers
