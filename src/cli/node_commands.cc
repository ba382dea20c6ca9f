#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/node.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

// A command about the one node that it names.
void add_for_node(CommandTree& tree, CLI::App& group, const std::string& name, const std::string& help,
                  std::function<int(Context&, const std::string&)> run) {
  auto node = std::make_shared<std::string>();
  tree.add(group, name, help, [node, run = std::move(run)](Context& context) { return run(context, *node); })
      ->add_option("NODE", *node)
      ->required();
}

void add_join(CommandTree& tree, CLI::App& group, const CliHooks& hooks) {
  auto flags = std::make_shared<JoinFlags>();
  auto* join = tree.add(group, "join", "Make this machine a node of the cluster that invited it",
                        [flags, &hooks](Context& context) { return hooks.join(context, *flags); });
  join->add_option("SERVER", flags->server, "HOST:PORT, as `node invite` prints it")->required();
  join->add_option("TOKEN", flags->token, "As `node invite` prints it")->required();
  join->add_flag("--foreground", flags->foreground, "Run the agent here instead of in the background");
  add_agent_options(join, flags->agent);
  tree.keep_local(join);
}

// About one node: what is placed on it, one or more of `what`.
void add_placing(CommandTree& tree, CLI::App& group, const std::string& name, const std::string& help,
                 const std::string& what, const std::string& what_help,
                 int (*run)(Context&, const std::string&, const std::vector<std::string>&)) {
  auto node = std::make_shared<std::string>();
  auto placed = std::make_shared<std::vector<std::string>>();
  auto* command =
      tree.add(group, name, help, [node, placed, run](Context& context) { return run(context, *node, *placed); });
  command->add_option("NODE", *node)->required();
  command->add_option(what, *placed, what_help)->required();
}

void add_reserve(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<ReserveOptions>();
  auto* reserve = tree.add(group, "reserve", "Keep a part of a node for other things than tasks",
                           [options](Context& context) { return run_node_reserve(context, options->node, *options); });
  reserve->add_option("NODE", options->node)->required();
  reserve->add_option("--cpus", options->cpus, "CPUs, as 0.5 (default: as it is)")->check(check_cpus);
  reserve->add_option("--memory", options->memory, "Memory, as 2g (default: as it is)")->check(check_memory);
  reserve->add_option("--disk", options->disk, "Disk, as 10g (default: as it is)")->check(check_memory);
}

void add_rebalance(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<RebalanceOptions>();
  auto* rebalance = tree.add(group, "rebalance",
                             "Move tasks of services from fuller nodes to emptier ones, each when it is ready there",
                             [options](Context& context) { return run_node_rebalance(context, *options); });
  auto* dry_run = rebalance->add_flag("--dry-run", options->dry_run, "Only show what would move");
  bound(rebalance->add_option("--max-moves", options->moves_max, "Tasks that are moved at the most")
            ->capture_default_str(),
        1, 100);
  rebalance->add_flag("-d,--detach", options->detach, "Don't wait until they are moved")->excludes(dry_run);
  add_timeout(rebalance, options->timeout, "How long to wait for the moves, which go on after it");
}

struct RemoveOptions {
  std::string node;
  bool force = false;
};

void add_rm(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<RemoveOptions>();
  auto* rm = tree.add(group, "rm", "Take it out of the cluster",
                      [options](Context& context) { return run_node_rm(context, options->node, options->force); });
  rm->add_option("NODE", options->node)->required();
  rm->add_flag("--force", options->force, "Also while it has tasks");
}

}  // namespace

void add_node_commands(CommandTree& tree, const CliHooks& hooks) {
  auto& node = *tree.add_group("node", "Machines of the cluster");
  tree.add(node, "ls", "List nodes", run_node_ls);
  add_for_node(tree, node, "inspect", "Everything about a node", run_node_inspect);
  add_for_node(tree, node, "containers", "What its engines have beside orchion's own containers", run_node_containers);
  add_for_node(
      tree, node, "drain", "Move its tasks away and give it no new ones",
      [](Context& context, const std::string& name) { return run_node_availability(context, name, "DRAINED"); });
  add_for_node(tree, node, "activate", "Give it tasks again", [](Context& context, const std::string& name) {
    return run_node_availability(context, name, "ACTIVE");
  });
  add_placing(tree, node, "taint", "Turn tasks away that don't tolerate it", "TAINT",
              "KEY[=VALUE]:EFFECT; KEY- or KEY:EFFECT- takes it away. Effects: NoSchedule (no new tasks), "
              "PreferNoSchedule (others are preferred), NoExecute (those that are there move away, too)",
              run_node_taint);
  add_placing(tree, node, "label", "Give it labels, for constraints and preferences of services", "LABEL",
              "KEY=VALUE; KEY- takes it away", run_node_label);
  add_reserve(tree, node);
  add_rebalance(tree, node);
  tree.add(node, "invite", "Print the line that lets another machine join", run_node_invite);
  add_join(tree, node, hooks);
  add_rm(tree, node);
}

}  // namespace orchion::cli
