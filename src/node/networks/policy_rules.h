#pragma once

// Network policies as text for libnftables. Pure. A task's address leads, by a map, to the chain of the policies that
// it is under; tasks under the same ones share it. Who a rule allows is a set of its own: one who comes or goes is an
// element, and a task more is elements too, whatever the number of tasks and policies.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/networks/ruleset.h"

namespace orchion::node::networks {

// Of the one that is connected to. Neither protocol: any, and no port counts.
struct PolicyPorts {
  bool tcp = false;
  bool udp = false;
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  auto operator<=>(const PolicyPorts&) const = default;
};

// Who may come in, or where one may go.
struct PolicyAllow {
  bool anybody = false;                // else those that follow
  std::vector<std::string> addresses;  // IPv4 and IPv6; they come and go
  std::vector<std::string> ranges;     // CIDR; stay as long as the policy does
  std::vector<std::string> except;     // CIDR, of the ranges
  std::vector<PolicyPorts> ports;      // empty: any

  bool operator==(const PolicyAllow&) const = default;
};

// What the policies about some tasks allow together, in one direction; all else is refused.
struct PolicyGroup {
  bool egress = false;
  std::vector<PolicyAllow> allows;

  bool operator==(const PolicyGroup&) const = default;
};

// A task here that policies are about: the groups' names, nullopt where the direction is open.
struct TaskPolicy {
  std::string task_uid;
  std::vector<std::string> addresses;  // IPv4 and IPv6
  std::optional<std::string> ingress;
  std::optional<std::string> egress;

  bool operator==(const TaskPolicy&) const = default;
};

// All that holds here, or the part of it that differs.
struct Policies {
  std::map<std::string, PolicyGroup> groups;  // by name
  std::map<std::string, TaskPolicy> tasks;    // by uid

  bool operator==(const Policies&) const = default;
};

// The chain that new connections jump to, with nothing in its maps; what they hold stays. A connection that comes back
// from it is allowed.
inline constexpr std::string_view kPoliciesChain = "policies";
std::string policies_base_text(const Table& table);

// One transaction from `before` to `after`. Both may leave out what is in neither or the same in both: groups that a
// task is led to and that aren't named stand already. Empty where nothing differs.
std::string policies_text(const Table& table, const Policies& before, const Policies& after);

// What a former process left, by its names.
struct PolicyLeftovers {
  std::vector<std::string> chains;
  std::vector<std::string> sets;
};

// Out of `list table inet NAME`.
PolicyLeftovers parse_policies(std::string_view listing);

// One transaction from whatever there is to `after`, which is whole: at no moment is a connection let through, or
// refused, that neither of both would.
std::string policies_anew_text(const Table& table, const PolicyLeftovers& leftovers, const Policies& after);

}  // namespace orchion::node::networks
