#pragma once

// Which networks a container joins: its own stack's by their names, other stacks' as "STACK/NETWORK".

#include <memory>
#include <string>

#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

// Which network of the view a container of `stack` means.
store::ObjectName network_name(const std::string& stack, const v1::NetworkAttachment& attachment);

// Null where there is none; also one that can't be joined, see network_obstacle().
std::shared_ptr<const v1::Network> find_network(const ClusterSnapshot& cluster, const std::string& stack,
                                                const v1::NetworkAttachment& attachment);

// Why nothing of `stack` can join the network now: "has no subnet yet". Empty: it can.
std::string network_obstacle(const v1::Network* network, const std::string& stack,
                             const v1::NetworkAttachment& attachment);

// What goes with the address in the network's IPv6 subnet; empty where it has none.
std::string address6_of(const v1::Network& network, std::uint32_t address);

}  // namespace orchion::control::controllers
