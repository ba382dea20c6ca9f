#pragma once

// What every file that adds commands needs: the parser, and a way to say what a command does.

#include <functional>
#include <memory>
#include <set>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/cli.h"
#include "cli/context.h"
#include "cli/target.h"

namespace orchion::cli {

// The commands as the user types them. Their callbacks only store what is to be run, so that global options, which may
// stand behind the command, are known by then.
class CommandTree {
 public:
  using Action = std::function<int(Context&)>;

  CommandTree(const std::string& description, const std::string& name);
  CommandTree(const CommandTree&) = delete;
  CommandTree& operator=(const CommandTree&) = delete;

  CLI::App& root() { return app_; }

  // What the command that was parsed does; a command without an action is a group.
  const Action& action() const { return action_; }

  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help, Action action);
  CLI::App* add(const std::string& name, const std::string& help, Action action) {
    return add(app_, name, help, std::move(action));
  }

  // The current context says nothing to this command: it is about the machine it runs on.
  void keep_local(const CLI::App* command) { local_.insert(command); }
  bool is_local(const CLI::App* command) const { return local_.contains(command); }

  // `orchion NAME COMMAND`.
  CLI::App* add_group(const std::string& name, const std::string& help);

 private:
  CLI::App app_;
  Action action_;
  std::set<const CLI::App*> local_;
};

// All commands with their examples; the options that every one of them has, whose values outlive the tree.
void add_commands(CommandTree& tree, const CliHooks& hooks);
void add_global_options(CommandTree& tree, GlobalOptions& globals, std::string& output);

// What help shows first, for the command and those below it.
void add_examples(CLI::App& command);

// One function a file: what belongs together.
void add_stack_commands(CommandTree& tree);
void add_file_commands(CommandTree& tree);
void add_task_commands(CommandTree& tree);
void add_service_commands(CommandTree& tree);
void add_job_commands(CommandTree& tree);
void add_node_commands(CommandTree& tree, const CliHooks& hooks);
void add_image_commands(CommandTree& tree);
void add_channel_commands(CommandTree& tree);
void add_network_commands(CommandTree& tree);
void add_route_commands(CommandTree& tree);
void add_server_commands(CommandTree& tree, const CliHooks& hooks);
void add_context_commands(CommandTree& tree);
void add_tool_commands(CommandTree& tree, const CliHooks& hooks);

// Options that several commands have. What they fill in belongs to the command's action.
void add_file_options(CLI::App* command, FileOptions& files);
void add_agent_options(CLI::App* command, AgentFlags& flags);
void add_mesh_options(CLI::App* command, MeshFlags& mesh);
void add_store_options(CLI::App* command, StoreFlags& flags);
void add_ingress_options(CLI::App* command, IngressFlags& flags);
void add_log_level(CLI::App* command, std::string& level);
void add_timeout(CLI::App* command, std::string& timeout, const std::string& help = "How long to wait");

// Its values are these words; help and completion show them.
void offer(CLI::Option* option, const std::vector<std::string>& choices);
// They are whole numbers.
void bound(CLI::Option* option, std::int64_t least, std::int64_t most);

}  // namespace orchion::cli
