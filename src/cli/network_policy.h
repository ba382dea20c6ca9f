#pragma once

#include <string>

#include "cli/command_tree.h"

namespace orchion::cli {

// `policy` below `network`.
void add_network_policy_commands(CommandTree& tree, CLI::App& network);

int run_network_policy_ls(Context& context);

// STACK/POLICY, or POLICY of the stack of the working folder.
int run_network_policy_inspect(Context& context, const std::string& what);

// Each a service, as above, an address, or the name of a host outside.
struct PolicyTestOptions {
  std::string from;
  std::string to;
  std::string port;  // PORT, PORT/tcp or PORT/udp
};

// kExitOk where it is allowed, kExitFailed where not.
int run_network_policy_test(Context& context, const PolicyTestOptions& options);

}  // namespace orchion::cli
