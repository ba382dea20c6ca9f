#pragma once

#include <string>
#include <string_view>

#include "v1/specs.pb.h"

namespace orchion::core {

// A text of 32 hexadecimal digits that differs where tasks made from the two specs would differ: container, restart
// policy, constraints. The order of ports, mounts, networks, environment, labels and capabilities doesn't count;
// replicas, dependencies, the service's labels and what a node's loss means are no part of it. Fields that aren't set
// leave no trace, so that a later version with more fields gives the same text for the same spec.
std::string fingerprint(const v1::ServiceSpec& spec);

// FNV-1a with 128 bits (http://www.isthe.com/chongo/tech/comp/fnv/): tells texts apart, guards no secret.
std::string fnv1a_128(std::string_view text);

}  // namespace orchion::core
