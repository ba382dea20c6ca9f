#include "cli/command_tree.h"
#include "cli/network_policy.h"

namespace orchion::cli {

void add_network_commands(CommandTree& tree) {
  auto& network = *tree.add_group("network", "Networks, and who may talk to whom");
  add_network_policy_commands(tree, network);
}

}  // namespace orchion::cli
