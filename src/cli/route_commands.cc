#include "cli/route.h"

namespace orchion::cli {

void add_route_commands(CommandTree& tree) {
  auto& route = *tree.add_group("route", "How HTTP comes to services");
  tree.add(route, "ls", "List HTTP routes", run_route_ls);
  tree.add(route, "ca", "Print the certificate of the authority that vouches for routes", run_route_ca);
}

}  // namespace orchion::cli
