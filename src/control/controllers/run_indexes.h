#pragma once

// What has become of each index of a run. Part of the run planner.

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "control/controllers/run_planner.h"

namespace orchion::control::controllers {

struct RunIndex {
  TaskPtr newest;                // not to go; null: none was made, or it is gone
  TaskPtr former;                // the newest of those that are to go
  std::vector<TaskPtr> leaving;  // told to go and not ended: nothing new may start beside them
};

// By index, those without a task left out.
std::map<std::uint32_t, RunIndex> indexes_of(const std::vector<TaskPtr>& tasks);

// How many tasks of the index failed in a row, up to this one and with it.
unsigned failures_up_to(const v1::Task& task);

}  // namespace orchion::control::controllers
