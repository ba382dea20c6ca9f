#pragma once

// Limits that not every node's kernel can hold.

#include <map>
#include <string>

#include "base/error.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::bundle {

// For Capabilities::lacks.
std::map<std::string, Lack, std::less<>> lacks_of_node(const CgroupLayout& cgroups);

// kFailedPrecondition: `limits` asks for one of them.
base::Result<> check_limits(const ResourceLimits& limits, const CgroupLayout& cgroups);

}  // namespace orchion::node::runtimes::bundle
