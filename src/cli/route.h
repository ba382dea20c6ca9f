#pragma once

#include "cli/command_tree.h"

namespace orchion::cli {

int run_route_ls(Context& context);
int run_route_ca(Context& context);

}  // namespace orchion::cli
