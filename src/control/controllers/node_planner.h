#pragma once

// Which nodes are lost, which are back, and when losses are too many to act on.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

struct NodeFacts {
  NodePtr node;
  std::optional<base::Time> last_heard;
  bool left = false;                        // in order
  std::optional<base::Time> declared_lost;  // by this server, when
  std::size_t tasks = 0;                    // objects, ended ones included; counted for nodes that are being removed
};

struct NodesSnapshot {
  std::vector<NodeFacts> nodes;
  base::Time serving_since;
  base::Duration lost_after;
  bool was_paused = false;
};

struct NodesPlan {
  Plan plan;
  std::vector<std::string> declared_lost;  // uids
  bool paused = false;
};

// READY and silent for `lost_after` (from `serving_since` at the earliest) becomes LOST; while more than half are on
// the way there, the declaration waits until all of them are, so that a common fault is seen as one. LOST and heard
// again becomes READY. READY and gone in order becomes UNKNOWN: it gets no tasks and loses none. A node that is to be
// removed goes when nothing is left on it, or when it doesn't answer any more.
NodesPlan plan_nodes(const NodesSnapshot& snapshot, Now now, base::Random& random);

// Three nodes or more, and more than half of them were lost within `window`: then it is the network, or this server,
// and replacing everything would make it worse. Holds until enough of them are back or removed.
bool is_replacement_paused(std::span<const NodePtr> nodes, base::Duration window);

}  // namespace orchion::control::controllers
