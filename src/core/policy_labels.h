#pragma once

#include <map>
#include <string>

#include "v1/specs.pb.h"

namespace orchion::core {

// The labels of a task that network policies ask for: its service's and its container's, which win.
std::map<std::string, std::string> policy_labels(const v1::ServiceSpec& spec);

}  // namespace orchion::core
