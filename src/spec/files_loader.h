#pragma once

#include <string>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// Gives the services' secrets and configs their contents, from the top-level `secrets` and `configs`, and checks
// these. What no service uses isn't read.
void fill_files(const Node& root, v1::StackSpec& spec, LoadContext& context);

}  // namespace orchion::spec
