#pragma once

#include <string>

#include "v1/specs.pb.h"

namespace orchion::spec {

// The manifest as one Compose file, in canonical form: no variables, no short syntax, nothing left to merge.
// Loading it again gives the same manifest. Holds the values of all environment variables.
std::string render(const std::string& name, const v1::StackSpec& spec);

}  // namespace orchion::spec
