#pragma once

#include <string>
#include <vector>

#include "cli/command_tree.h"
#include "v1/control.pb.h"

namespace orchion::cli {

// How HTTP comes to the services of a stack, or of all where it is empty. None where the caller may not see services,
// or the server is older than routes.
base::Result<std::vector<v1::RouteView>> read_routes(Context& context, const std::string& stack);

int run_route_ls(Context& context);
int run_route_ca(Context& context);

}  // namespace orchion::cli
