#pragma once

// What a node's object says about whether it will do: all that doesn't change while tasks are placed.

#include <string>

#include "control/scheduler/explanation.h"

namespace orchion::control::scheduler {

// Its state and what its owner wants of it.
Refusal check_condition(const v1::Node& node);

// Its taints, labels, platform, runtimes and models of GPUs.
Refusal check_taints(const v1::Node& node, const TaskClass& wanted);
Refusal check_attributes(const v1::Node& node, const TaskClass& wanted);

// Whether a GPU of this vendor and model is of the kind that is asked for.
bool will_do(const v1::GpuRequest& wanted, const std::string& vendor, const std::string& model);

// Whether it has a taint that says to prefer others, and that the class doesn't tolerate.
bool prefers_others(const v1::Node& node, const TaskClass& wanted);

}  // namespace orchion::control::scheduler
