#pragma once

#include <string>
#include <vector>

#include "spec/build_spec.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// The manifest as one Compose file, in canonical form: no variables, no short syntax, nothing left to merge.
// Loading it again gives the same manifest. Holds the values of all environment variables.
// Builds are those of its services; of what they take from the environment only the names are printed.
std::string render(const std::string& name, const v1::StackSpec& spec, const std::vector<BuildSpec>& builds = {});

}  // namespace orchion::spec
