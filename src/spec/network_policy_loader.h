#pragma once

#include <map>
#include <string>
#include <vector>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// What `network_default: deny` of `x-orchion` is called among the policies.
inline constexpr const char* kDefaultDeny = "default-deny";

// The services and jobs that policies may name, as the file has them.
struct PolicySubjects {
  const std::map<std::string, std::string>& labels;    // name → what it is called here
  const std::map<std::string, std::string>& inactive;  // of profiles that aren't active: name → a profile of it
};

// `network_policies` and `network_default` of `x-orchion`. A policy about a service that isn't active is about nobody
// and left out; a peer that isn't active is nobody, and a rule whose peers all are goes with them.
std::vector<v1::NamedNetworkPolicy> load_network_policies(const Node& orchion, const PolicySubjects& subjects,
                                                          LoadContext& context);

// A number alone (tcp and udp), "80/tcp", "8000-8100/udp". kInvalidArgument without a place.
base::Result<v1::PolicyPort> parse_policy_port(std::string_view text);

}  // namespace orchion::spec
