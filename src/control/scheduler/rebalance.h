#pragma once

// Which tasks to move so that nodes are evenly full. Pure: the same input gives the same output, and what came of its
// moves gives none.
//
// How full a node is, is the larger of two shares: of its CPUs and of its memory, as far as tasks and the system have
// reserved them ("dominant share", Ghodsi et al., NSDI 2011). The measure is the sum of its squares over all nodes that
// take tasks, and beside it, for tasks that reserve nothing, the sum of the squares of their numbers of tasks. A move
// lessens the first, or leaves it and lessens the second; so no move is ever taken back by the next plan.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/scheduler/scheduler.h"

namespace orchion::control::scheduler {

// A task that has a place; counted in its node's and its group's view.
struct PlacedTask {
  std::size_t task_class = 0;  // an index into the classes
  std::size_t node = 0;        // an index into the nodes
};

// How full a node is.
struct Load {
  std::uint32_t reserved_milli = 0;  // thousandths, as above
  std::uint32_t tasks = 0;

  bool operator==(const Load&) const = default;
};

struct Move {
  std::size_t task = 0;     // an index into the tasks that were given
  std::size_t to = 0;       // an index into the nodes
  bool by_tasks = false;    // since it reserves nothing: for the number of tasks
  Load from_load, to_load;  // before it, of the node that it leaves and of the one it goes to
};

struct NodeBalance {
  std::size_t node = 0;  // an index into the nodes
  Load before, after;
};

struct Rebalancing {
  std::vector<Move> moves;         // in the order in which they are to be made
  std::vector<NodeBalance> nodes;  // those that take tasks, and thereby count
};

// A move is worth its while where the node that is left was fuller than the other becomes by more than this part of how
// full nodes are on average.
constexpr double kWorthwhile = 1.0 / 20;

// How many nodes are looked at for tasks of a kind: what is planned beyond is for the next call.
constexpr std::size_t kLooksMax = 4'000'000;

// At most `moves_max` moves, each of the task whose move lessens the measure most then. Of `tasks` each moves once at
// the most; what may not move isn't named. A task goes only where place() could put it while it is still where it is,
// and where it would be put no less gladly, by all that goes before a node's load there: nodes to avoid, taints that
// prefer others, preferred neighbours, domains, tasks of the same group. Tasks that reserve GPUs or have volumes, and
// classes that want full nodes (kBinPack, kFragmentation), are never moved.
Rebalancing rebalance(const PlacementInput& input, const std::vector<PlacedTask>& tasks, std::size_t moves_max);

}  // namespace orchion::control::scheduler
