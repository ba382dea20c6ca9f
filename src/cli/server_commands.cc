#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

void add_executor(CLI::App* command, std::string& executor) {
  offer(command->add_option("--executor", executor,
                            "What runs services that ask for nothing (default: the first there of oci, docker, podman, "
                            "containerd)"),
        {"oci", "docker", "podman", "containerd", "process"});
}

void add_server(CommandTree& tree, const CliHooks& hooks) {
  auto flags = std::make_shared<ServerFlags>();
  auto* server = tree.add("server", "Run the control plane, and the agent of this machine",
                          [flags, &hooks](Context& context) { return hooks.server(context, *flags); });
  server->add_option("--http", flags->http, "Where REST listens")->capture_default_str()->check(check_listener);
  server->add_option("--grpc", flags->grpc, "Where gRPC listens")->capture_default_str()->check(check_listener);
  server->add_option("--advertise", flags->advertise, "HOST or HOST:PORT at which other machines reach this one");
  server->add_option("--nodes", flags->nodes, "Where it listens for them (default: as --advertise says)");
  add_store_options(server, flags->store);
  server->add_option("--name", flags->name,
                     "What it is called among the servers of one store (default: the machine's)");
  add_mesh_options(server, flags->mesh);
  server->add_flag("--no-agent", flags->no_agent, "Run nothing on this machine");
  add_executor(server, flags->executor);
  add_ingress_options(server, flags->ingress);
  server->add_flag("--background", flags->background, "Start one in the background where none answers");
  server->add_flag("--stop", flags->stop, "End the one on this data folder; its containers run on");
  bound(server->add_option("--heartbeat", flags->heartbeat_seconds, "Seconds between a node's signs of life")
            ->capture_default_str(),
        1, 3600);
  bound(server->add_option("--node-lost-after", flags->lost_seconds, "Seconds of silence after which a node is lost")
            ->capture_default_str(),
        2, 86400);
  server
      ->add_flag("--rebalance", flags->rebalance,
                 "Move tasks by itself once a node has come and stayed for a minute, as `node rebalance` does")
      ->envname("ORCHION_REBALANCE");
  add_log_level(server, flags->log_level);
  tree.keep_local(server);
}

void add_agent(CommandTree& tree, const CliHooks& hooks) {
  auto flags = std::make_shared<AgentFlags>();
  auto* agent = tree.add("agent", "Run the agent of this machine: for the cluster it joined, or the server at --server",
                         [flags, &hooks](Context& context) { return hooks.agent(context, *flags); });
  agent->add_flag("--background", flags->background, "Start it in the background");
  agent->add_flag("--stop", flags->stop, "End the one on this data folder; its containers run on");
  add_executor(agent, flags->executor);
  add_agent_options(agent, *flags);
  tree.keep_local(agent);
}

void add_backup(CommandTree& tree) {
  auto file = std::make_shared<std::string>();
  auto* backup = tree.add("backup", "Save the whole state of the cluster, with its keys, to a file",
                          [file](Context& context) { return run_backup(context, *file); });
  backup->add_option("FILE", *file, "Where it is written; - is standard output")->required();
}

// `flags` are filled by the command's options.
CLI::App* add_state_file(CLI::App* command, const std::shared_ptr<StateFileFlags>& flags, const std::string& help) {
  command->add_option("FILE", flags->file, help)->required();
  add_store_options(command, flags->store);
  return command;
}

void add_restore(CommandTree& tree, const CliHooks& hooks) {
  auto flags = std::make_shared<StateFileFlags>();
  auto* restore = tree.add("restore", "Begin anew with what a backup holds; no server runs meanwhile",
                           [flags, &hooks](Context& context) { return hooks.restore(context, *flags); });
  tree.keep_local(add_state_file(restore, flags, "What `orchion backup` wrote"));
}

void add_store(CommandTree& tree, const CliHooks& hooks) {
  auto& store = *tree.add_group("store", "Move the state from one store to another, while no server runs");
  auto from = std::make_shared<StateFileFlags>();
  auto* out = tree.add(store, "export", "Write the whole state of a store to a file",
                       [from, &hooks](Context& context) { return hooks.export_store(context, *from); });
  tree.keep_local(add_state_file(out, from, "Where it is written"));
  auto to = std::make_shared<StateFileFlags>();
  auto* in = tree.add(store, "import", "Fill an empty store with what `export` wrote",
                      [to, &hooks](Context& context) { return hooks.import_store(context, *to); });
  tree.keep_local(add_state_file(in, to, "What `orchion store export` wrote"));
}

}  // namespace

void add_server_commands(CommandTree& tree, const CliHooks& hooks) {
  add_server(tree, hooks);
  add_agent(tree, hooks);
  tree.add("servers", "List the servers of the cluster, and which one leads", run_servers);
  add_backup(tree);
  add_restore(tree, hooks);
  add_store(tree, hooks);
  tree.add("version", "Print versions", [&hooks](Context& context) { return run_version(context, hooks.version); });
}

}  // namespace orchion::cli
