#pragma once

// What may be said of the places of tasks. Pointers begin at `at`, as in validation.h.

#include <string>

#include "core/validation.h"
#include "v1/specs.pb.h"

namespace orchion::core {

void check_placement(const v1::PlacementRules& rules, const std::string& at, Violations& violations);

// Whole GPUs, or a share of one.
void check_gpus(const v1::GpuRequest& request, const std::string& at, Violations& violations);

}  // namespace orchion::core
