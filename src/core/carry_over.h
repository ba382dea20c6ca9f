#pragma once

#include "v1/specs.pb.h"

namespace orchion::core {

// What an apply leaves as it stands, though the file behind it doesn't say so: how often a service was restarted, and
// services, jobs and networks that were made by themselves, with the networks and volumes they use. One that the file
// names is the file's from then on; that it was stopped is forgotten, since to apply means to run.
void carry_over(const v1::StackSpec& before, v1::StackSpec& after);

// Whether a stack that came with the first thing made in it has nothing left to stay for.
bool is_empty(const v1::StackSpec& spec);

}  // namespace orchion::core
