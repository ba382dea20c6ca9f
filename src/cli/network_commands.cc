#include "cli/network_commands.h"
#include "cli/command_tree.h"
#include "cli/network_policy.h"
#include "cli/value_check.h"
#include "core/network_validation.h"

namespace orchion::cli {

namespace {

constexpr const char* kNetworkHelp = "STACK/NETWORK, or NETWORK of this folder's stack";

void add_create(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<NetworkOptions>();
  auto* create = tree.add(group, "create", "Make a network that no file has; it stays until `network rm`",
                          [options](Context& context) { return run_network_create(context, *options); });
  create->add_option("NAME", options->name, kNetworkHelp)->required();
  create->add_option("--subnet", options->subnet, "Its IPv4 addresses, as 10.20.0.0/16 (default: chosen)");
  create->add_option("--gateway", options->gateway, "One of them (default: the first)");
  create->add_flag("--ipv6", options->ipv6, "With IPv6 addresses too");
  create->add_option("--subnet6", options->subnet6, "Its IPv6 addresses, as fd00:12::/64 (default: chosen)");
  create->add_option("--range", options->range, "The part of the subnet that tasks get (default: all of it)");
  create->add_option("--driver", options->driver, "bridge, which every node routes, or macvlan (default: bridge)")
      ->check(CLI::IsMember({"bridge", "macvlan"}));
  create->add_option("--parent", options->parent, "Of macvlan: the nodes' interface, as eth0, or eth0.20 for a VLAN");
  create->add_flag("--internal", options->internal, "No way out of it");
  bound(create->add_option("--mtu", options->mtu, "Bytes of the largest packet (default: what fits)"), core::kMtuMin,
        core::kMtuMax);
  create->add_option("--label", options->labels, "NAME=VALUE, for people and programs")
      ->allow_extra_args(false)
      ->check(check_variable);
}

CLI::App* add_attachment(CommandTree& tree, CLI::App& group, AttachmentOptions& options, const std::string& name,
                         const std::string& help, CommandTree::Action action) {
  auto* command = tree.add(group, name, help, std::move(action));
  command->add_option("NETWORK", options.network, kNetworkHelp)->required();
  command->add_option("SERVICE", options.service, "STACK/SERVICE, or SERVICE of this folder's stack")->required();
  command->add_flag("-d,--detach", options.detach, "Don't wait until its tasks were replaced");
  add_timeout(command, options.timeout);
  return command;
}

}  // namespace

void add_network_commands(CommandTree& tree) {
  auto& network = *tree.add_group("network", "Networks, who is in them, and who may talk to whom");
  add_create(tree, network);
  tree.add(network, "ls", "List networks", run_network_ls);
  auto inspected = std::make_shared<std::string>();
  tree.add(network, "inspect", "Everything about a network, and who is in it",
           [inspected](Context& context) { return run_network_inspect(context, *inspected); })
      ->add_option("NETWORK", *inspected, kNetworkHelp)
      ->required();
  auto removed = std::make_shared<std::vector<std::string>>();
  tree.add(network, "rm", "Remove networks that `network create` made and nobody uses",
           [removed](Context& context) { return run_network_rm(context, *removed); })
      ->add_option("NETWORK", *removed, kNetworkHelp)
      ->required();
  auto joining = std::make_shared<AttachmentOptions>();
  add_attachment(tree, network, *joining, "connect", "Have a service join a network; its tasks are replaced one by one",
                 [joining](Context& context) { return run_network_connect(context, *joining); })
      ->add_option("--alias", joining->aliases, "A further name of the service there")
      ->allow_extra_args(false);
  auto leaving = std::make_shared<AttachmentOptions>();
  add_attachment(tree, network, *leaving, "disconnect",
                 "Take a service out of a network; its tasks are replaced one by one",
                 [leaving](Context& context) { return run_network_disconnect(context, *leaving); });
  add_network_policy_commands(tree, network);
}

}  // namespace orchion::cli
