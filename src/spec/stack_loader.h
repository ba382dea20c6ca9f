#pragma once

#include <string>
#include <vector>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// The merged tree of all files as one manifest: services of inactive profiles left out, the `default` network
// added where a service joins it, names between services, networks and volumes checked.
v1::StackSpec load_stack(const Node& root, const std::vector<std::string>& profiles, LoadContext& context);

}  // namespace orchion::spec
