#pragma once

// Which subnets a network gets, and when it may go.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/controllers/plan.h"
#include "core/subnet6.h"

namespace orchion::control::controllers {

using NetworkPtr = std::shared_ptr<const v1::Network>;

struct NetworkSnapshot {
  NetworkPtr network;                // null: it is gone
  std::vector<NetworkPtr> networks;  // all of the cluster
  bool in_use = false;               // a task or a service holds an address of it
  std::set<std::string> nodes;       // uids of those that exist and aren't lost
  std::set<std::string> users;       // "STACK/SERVICE": services and jobs that are in it; asked for where it is to go
  std::string cluster_id;
};

// A network without a subnet gets the one its spec names, or the lowest free /20 of 10.192.0.0/10 that isn't the
// nodes', and the gateway that its spec names, or the first address; with MACVLAN it has no gateway but the one that is
// named. With IPv6 it also gets the subnet that its spec names, or the lowest free /64 of the cluster's own prefix. It
// gets all of it or nothing, and keeps it as long as it exists. Where that can't be, its message and an event say why.
// One that is being deleted goes when no service is in it, nobody holds an address of it and the nodes where it was
// have taken it down. A lost one isn't waited for: when it comes back it learns that it has no such network.
Plan plan_network(const NetworkSnapshot& snapshot, Now now, base::Random& random);

// The cluster's own part of fd00::/8 (RFC 4193), a /48.
core::Subnet6 cluster_prefix(const std::string& cluster_id);

}  // namespace orchion::control::controllers
