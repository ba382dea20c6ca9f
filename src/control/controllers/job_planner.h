#pragma once

// From a job to its runs: those its schedule makes, which of those that wait may begin, and how long ended ones are
// kept.

#include <memory>
#include <vector>

#include "control/controllers/plan.h"

namespace orchion::control::controllers {

using JobPtr = std::shared_ptr<const v1::Job>;
using RunPtr = std::shared_ptr<const v1::Run>;

struct JobSnapshot {
  JobPtr job;                 // null: it is gone
  std::vector<RunPtr> runs;   // of it, deleted ones included, by number
  std::vector<RunPtr> group;  // of other jobs of the stack, those that ended excepted
  v1::StackSpec queues;       // the stack's, of which nothing else is needed
};

// Ended runs kept of one job, whatever its `keep`; and those among them that never began, of which there may be many.
constexpr std::size_t kRunsKept = 100;
constexpr std::size_t kIdleRunsKept = 20;

// Tasks of ended runs of one job that are kept, the newest run's in any case: each holds an address of its networks.
constexpr std::uint64_t kRunTasksKept = 1000;

// One step of a job:
// - a slot of its schedule that is due makes a run, in one transaction with the status that says so; slots of which
// more
//   than the schedule's starting deadline has passed are recorded as missed, the newest 20 one by one, the others as a
//   number in an event. A schedule counts from when this server first saw it as it is;
// - of the runs that wait those begin that their group lets, by priority and then by age; or they are skipped, or ask
//   what is in their way to end, as the job's `concurrency` says; where they name a queue it must be their turn in it.
//   A queue that is no more holds nobody back;
// - ended runs go when their time is over, or there are too many;
// - its status; a job that goes with its runs says when they are gone.
// A job that is being deleted takes its runs along.
Plan plan_job(const JobSnapshot& snapshot, Now now, base::Random& random);

}  // namespace orchion::control::controllers
