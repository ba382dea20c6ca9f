#pragma once

// Which tasks of services to move so that nodes are evenly full, and when each move begins. What becomes of one that
// has begun is the service planner's.

#include <span>
#include <string>
#include <vector>

#include "control/controllers/placement_planner.h"
#include "v1/control.pb.h"

namespace orchion::control::controllers {

// Where a request doesn't say how many, and the most it may ask for: they are marked in one transaction.
constexpr std::uint32_t kMovesUsual = 10;
constexpr std::uint32_t kMovesMax = 100;

// Over the whole cluster; of a service one at a time. Each move has two tasks of one slot run for a while.
constexpr std::size_t kMovesAtOnce = 3;

// A node that came, or came back, may go again, or be one of several that come: this long nothing has to happen before
// moves are planned by themselves. Longer than a machine that crashes as it boots stays up, much shorter than a person
// waits for a machine to be of use.
constexpr base::Duration kQuietTime = std::chrono::seconds(60);

struct ServiceOnNodes {
  std::shared_ptr<const v1::Service> service;
  RevisionPtr revision;        // that new tasks get; null: none yet
  std::vector<TaskPtr> tasks;  // deleted ones included
};

struct RebalanceSnapshot {
  ClusterSnapshot cluster;
  std::vector<ServiceOnNodes> services;  // of all stacks, in the order of their names
};

// Moves as scheduler::rebalance() finds them, of tasks that are up and well and whose services rest: not changed, not
// updating, not about to go, and such that two tasks of a slot may run at once, see why_immovable(). Tasks of services
// that others share the network of, or have to be near or away from, stay as well. Where moves are under way there are
// none: what is planned while tasks come and go would be planned by loads that don't last.
v1::RebalanceResponse plan_rebalance(const RebalanceSnapshot& snapshot, std::uint32_t moves_max);

// The moves as marks on their tasks, all or none. `actor` asks: "user admin".
Plan ask_for_moves(const RebalanceSnapshot& snapshot, const v1::RebalanceResponse& planned, const std::string& actor,
                   Now now);

// Begins the moves whose turn it is: as many as may be made at once, those that were asked for first before others.
// `moving`: tasks with a move that aren't deleted.
Plan begin_moves(const std::vector<TaskPtr>& moving, Now now);

}  // namespace orchion::control::controllers
