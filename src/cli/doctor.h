#pragma once

#include <string>

#include "cli/context.h"

namespace orchion::cli {

// Prints what is well and what isn't; with `bundle`, writes it and what the server knows to that file. kExitFailed
// where something is wrong.
int run_doctor(Context& context, const std::string& version, const std::string& bundle);

}  // namespace orchion::cli
