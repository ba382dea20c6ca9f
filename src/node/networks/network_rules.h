#pragma once

// What our table knows of networks and of services' virtual addresses, as text for libnftables. Pure. A network is a
// few elements of sets, a virtual address one element of a map that leads to a small chain of its own, whose one rule
// goes round those behind it: each packet and each change costs the same with one of them or thousands.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/networks/ruleset.h"

namespace orchion::node::networks {

// A network on this machine. Ranges are CIDRs; those of IPv6 are empty where it has none.
struct NetworkRules {
  std::string subnet;
  std::string gateway;
  std::string subnet6;
  std::string gateway6;
  bool internal = false;

  bool operator==(const NetworkRules&) const = default;
};

// By the network's uid.
using NetworkRulesByUid = std::map<std::string, NetworkRules>;

// The sets, for table_text().
std::string network_sets_text(const Table& table);

// From what the table holds to what it shall: elements that two networks have stay until the second goes.
std::string change_networks_text(const Table& table, const NetworkRulesByUid& before, const NetworkRulesByUid& after);

// What a listing of the table holds.
NetworkRulesByUid parse_networks(std::string_view listing);

// Who is behind each virtual address, IPv4 or IPv6: addresses of the same family. Nobody: connections are refused.
using VirtualAddresses = std::map<std::string, std::vector<std::string>>;

std::string change_virtual_text(const Table& table, const VirtualAddresses& before, const VirtualAddresses& after);

// The same from whatever is in the table, of which `listing` is.
std::string replace_virtual_text(const Table& table, std::string_view listing, const VirtualAddresses& after);

}  // namespace orchion::node::networks
