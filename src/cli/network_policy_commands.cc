#include "cli/network_policy.h"

namespace orchion::cli {

void add_network_policy_commands(CommandTree& tree, CLI::App& network) {
  auto& policy = *tree.add(network, "policy", "Network policies, as stack files have them", nullptr);
  policy.require_subcommand(1);
  tree.add(policy, "ls", "List network policies", run_network_policy_ls);
  auto what = std::make_shared<std::string>();
  tree.add(policy, "inspect", "Everything about a network policy",
           [what](Context& context) { return run_network_policy_inspect(context, *what); })
      ->add_option("POLICY", *what)
      ->required();
  auto options = std::make_shared<PolicyTestOptions>();
  auto* test = tree.add(policy, "test", "Whether one may talk to another, and why; exits with 1 where not",
                        [options](Context& context) { return run_network_policy_test(context, *options); });
  test->add_option("FROM", options->from, "STACK/SERVICE, or an address")->required();
  test->add_option("TO", options->to, "STACK/SERVICE, an address, or the name of a host outside")->required();
  test->add_option("PORT", options->port, "The container's: PORT[/tcp] or PORT/udp")->required();
}

}  // namespace orchion::cli
