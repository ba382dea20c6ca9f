#pragma once

// The addresses that services have themselves, one in each of their networks, beside those of their tasks.

#include <string>
#include <vector>

#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

struct VirtualAddresses {
  google::protobuf::RepeatedPtrField<v1::NetworkAddress> list;  // as ServiceStatus.virtual_addresses
  std::string message;                                          // where one can't be had: in which network, and why
};

// What the service has stays as long as it is in the network: its spec says so, or a task of it that hasn't ended is
// still there. What it lacks is the highest address that nobody has; a network that isn't ready is left for later.
// With TASK_ADDRESSES it has none, and none in a macvlan network.
VirtualAddresses plan_virtual_addresses(const v1::Service& service, const std::vector<TaskPtr>& tasks,
                                        const ClusterSnapshot& cluster);

// What the list takes, for those who give addresses in the same plan.
AddressSets taken_by(const VirtualAddresses& addresses);

// Of a change of a service, either of which may be null: it gives an address back.
bool frees_address(const v1::Service* before, const v1::Service* after);

// The service is to have an address more than it has.
bool lacks_virtual_address(const v1::Service& service);

}  // namespace orchion::control::controllers
