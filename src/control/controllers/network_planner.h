#pragma once

// Which subnet a network gets, and when it may go.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/controllers/plan.h"

namespace orchion::control::controllers {

using NetworkPtr = std::shared_ptr<const v1::Network>;

struct NetworkSnapshot {
  NetworkPtr network;                // null: it is gone
  std::vector<NetworkPtr> networks;  // all of the cluster
  bool in_use = false;               // a task object holds an address of it
  std::set<std::string> nodes;       // uids of those that exist and aren't lost
  std::string said;                  // what was last said about it, so that it isn't said again
};

struct NetworkPlan {
  Plan plan;
  std::string said;
};

// A network without a subnet gets the one its spec names, or the lowest free /20 of 10.192.0.0/10; its gateway is the
// first address. It keeps it as long as it exists. Where that can't be, an event says why. One that is being deleted
// goes when no task holds an address of it and the nodes where it was have taken it down. A lost one isn't waited for:
// when it comes back it learns that it has no such network.
NetworkPlan plan_network(const NetworkSnapshot& snapshot, Now now, base::Random& random);

}  // namespace orchion::control::controllers
