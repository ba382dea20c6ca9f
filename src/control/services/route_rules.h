#pragma once

// What of HTTP routes can be judged only where all stacks are known, or with what reads certificates. Pure: the view is
// asked, nothing is written.

#include <string>

#include "base/error.h"
#include "control/store/view.h"
#include "v1/specs.pb.h"

namespace orchion::control::services {

// kFailedPrecondition where two services want the same requests, kInvalidArgument where a certificate can't be used.
// `spec` is a valid manifest of `stack`; pointers are those of an ApplyStackRequest.
base::Result<> check_route_rules(const store::View& view, const std::string& stack, const v1::StackSpec& spec);

}  // namespace orchion::control::services
