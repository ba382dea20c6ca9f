#include "control/controllers/run_indexes.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

// Of two tasks of an index the one that was made later; a clock that went back leaves the failures to tell.
bool is_newer(const TaskPtr& a, const TaskPtr& b) {
  if (!b) return true;
  if (a->spec().predecessor() == b->meta().uid()) return true;
  if (b->spec().predecessor() == a->meta().uid()) return false;
  const auto key = [](const v1::Task& task) {
    return std::tuple(failures_up_to(task), task.meta().created_at().seconds(), task.meta().created_at().nanos());
  };
  return key(*a) > key(*b);
}

bool is_leaving(const v1::Task& task) {
  return task.spec().has_assignment() && !core::is_terminal(task.status().state()) &&
         task.spec().desired_state() != v1::DESIRED_LOST;
}

}  // namespace

std::map<std::uint32_t, RunIndex> indexes_of(const std::vector<TaskPtr>& tasks) {
  std::map<std::uint32_t, RunIndex> indexes;
  for (const auto& task : tasks) {
    RunIndex& index = indexes[task->spec().index()];
    const bool deleted = core::is_deleted(task->meta());
    if (deleted && is_leaving(*task)) index.leaving.push_back(task);
    TaskPtr& newest = deleted ? index.former : index.newest;
    if (is_newer(task, newest)) newest = task;
  }
  return indexes;
}

unsigned failures_up_to(const v1::Task& task) {
  const std::string before = core::label(task.meta(), core::kFailuresLabel);
  const auto failures = static_cast<unsigned>(std::clamp(std::atoi(before.c_str()), 0, 1'000'000));
  return failures + (task.status().state() == v1::FAILED ? 1 : 0);
}

}  // namespace orchion::control::controllers
