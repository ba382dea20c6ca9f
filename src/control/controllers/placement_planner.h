#pragma once

// From "these tasks need a place" to assignments: node, addresses and host ports, or the sentence that says why not.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/controllers/allocations.h"
#include "control/controllers/node_list.h"
#include "control/controllers/plan.h"
#include "control/scheduler/rebalance.h"
#include "control/store/view.h"

namespace orchion::control::controllers {

using TaskPtr = std::shared_ptr<const v1::Task>;
using RevisionPtr = std::shared_ptr<const v1::Revision>;
using PlacementRulesPtr = std::shared_ptr<const v1::PlacementRules>;

// What placing needs to know of the cluster. Plain: pointers to objects that don't change.
struct ClusterSnapshot {
  NodeList nodes;
  const Allocations* allocations = nullptr;
  // Of the stacks concerned, and other stacks' that are joined.
  std::map<store::ObjectName, std::shared_ptr<const v1::Network>> networks;
  std::map<store::ObjectName, std::shared_ptr<const v1::Volume>> volumes;  // of the stacks concerned
  std::map<std::string, std::shared_ptr<const v1::Image>> images;          // by full name, where known
  std::map<store::ObjectName, std::vector<TaskPtr>> network_owners;  // tasks of services whose network others share
  std::map<std::string, NodeUsage> usage_if;                         // by node uid: goes before the allocations
};

// The task in that slot whose network a task of another service can share from now on: it has a place and stays. Null:
// there is none yet.
TaskPtr network_owner_of(const ClusterSnapshot& cluster, const store::ObjectName& service, std::uint32_t slot);

struct TaskToPlace {
  store::ObjectName owner;  // its service or run, see owner_of()
  RevisionPtr revision;
  scheduler::Strategy strategy = scheduler::Strategy::kService;
  std::size_t turn = 0;                   // with kRoundRobin
  std::vector<std::string> avoided = {};  // TaskSpec.avoided_nodes: the last is wanted least
  std::uint32_t slot = 0;                 // of a service's
  PlacementRulesPtr rules = nullptr;      // null: none
  std::string only_on = {};               // the uid of the one node that will do; empty: any
};

scheduler::Strategy strategy_of(v1::JobSpec::Placement placement);
scheduler::Strategy strategy_of(const PlacementRulesPtr& rules);  // of a service

// Either an assignment or a message.
struct Placement {
  std::optional<v1::Assignment> assignment;
  std::string message;
  std::vector<std::shared_ptr<const v1::Volume>> pins;  // volumes whose data will be on the node from now on
};

// One per task, in their order. Places of one call don't collide with each other, nor with the addresses that the same
// plan gives to others.
std::vector<Placement> place_tasks(const ClusterSnapshot& cluster, const std::vector<TaskToPlace>& tasks,
                                   std::uint64_t seed, const AddressSets& given = {});

struct TaskOnNode {
  TaskToPlace task;
  std::string node_uid;
};

// Which of these tasks, that are where they are, to move so that nodes are evenly full. Tasks of the answer are indexes
// into `tasks`, nodes into the cluster's.
scheduler::Rebalancing rebalance_tasks(const ClusterSnapshot& cluster, const std::vector<TaskOnNode>& tasks,
                                       std::size_t moves_max);

// Gives the task its assignment, or its message; the claims and the writes that go with it. Volumes are pinned once:
// `plan` knows which were. `controller` does it: see core::controller_actor().
void apply_placement(const Placement& placement, const Cost& cost, std::string_view controller, Now now, v1::Task& task,
                     Unit& unit, Plan& plan);

struct WaitingTask {
  TaskPtr task;
  RevisionPtr revision;                                          // what it is made from
  std::shared_ptr<const v1::Run> run;                            // null: it is a service's
  v1::JobSpec::Placement placement = v1::JobSpec::LEAST_LOADED;  // of a run's: its job's, or its queue's
  PlacementRulesPtr rules = nullptr;                             // its service's or job's; null: none
};

// A run's task that has a place and hasn't ended.
struct PlacedTask {
  TaskPtr task;
  Cost cost;
  std::int32_t priority = 0;
};

// Tasks that wait for a place, in any order.
struct PlacementSnapshot {
  ClusterSnapshot cluster;
  std::vector<WaitingTask> tasks;
  std::vector<PlacedTask> placed;  // of runs; needed where a job that waits preempts
};

// The order in which they get places: the higher priority first (services have 0), among equals the stack that has the
// fewest tasks of runs, those before in this order counted, then the older.
void sort_for_placement(std::vector<WaitingTask>& tasks, const Allocations& allocations);

// A message is written only where it says something else than before. A job that preempts and finds no room has tasks
// of lower priority stopped where the fewest have to go, and their room when they have ended.
Plan plan_placement(const PlacementSnapshot& snapshot, Now now, base::Random& random);

// "web.2", "encode.7.0": how messages call a task.
std::string short_name(const v1::Task& task);

}  // namespace orchion::control::controllers
