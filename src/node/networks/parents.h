#pragma once

// The interfaces that macvlan networks are on: the machine's own, and VLANs of those that are made for a network and go
// with the last. Which networks one was made for is its alias, so that the next process knows.

#include <set>
#include <string>

#include "node/networks/links.h"

namespace orchion::node::networks {

// What a link's alias says: "orchion_abc123 UID UID". Empty where it isn't ours.
std::set<std::string> networks_of_alias(const std::string& mark, const std::string& alias);
std::string alias_of(const std::string& mark, const std::set<std::string>& networks);

// "eth0" and 20 of "eth0.20"; 0 where the name has no VLAN in it.
struct VlanName {
  std::string base;
  std::uint16_t id = 0;
};
VlanName vlan_of(const std::string& name);

// The interface is there and up, made where `name` is a VLAN of one that is. kFailedPrecondition: it isn't, with what
// to do.
base::Result<> ensure_parent(NetlinkSocket& socket, const std::string& mark, const std::string& name,
                             const std::string& network_uid);

// VLANs that were made for none of `networks` any more go; others' stay.
base::Result<> sweep_parents(NetlinkSocket& socket, const std::string& mark, const std::set<std::string>& networks);

// The same for a single network that goes.
base::Result<> leave_parents(NetlinkSocket& socket, const std::string& mark, const std::string& network_uid);

}  // namespace orchion::node::networks
