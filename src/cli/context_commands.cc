#include "cli/context_commands.h"

#include "cli/command_tree.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

void add_add(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<ContextAddOptions>();
  auto* add = tree.add(group, "add", "Give a server a name, and the file that holds its token",
                       [options](Context& context) { return run_context_add(context, *options); });
  add->add_option("NAME", options->name)->required();
  add->add_option("SERVER", options->server, "http://HOST:PORT or unix:PATH")->required()->check(check_server);
  add->add_flag("--use", options->use, "Make it the current one");
}

void add_use_and_rm(CommandTree& tree, CLI::App& group) {
  auto used = std::make_shared<std::string>();
  auto* use = tree.add(group, "use", "Choose the server that commands are for from now on",
                       [used](Context& context) { return run_context_use(context, *used); });
  use->add_option("CONTEXT", *used, "Its name; left out: the server of this machine");
  auto removed = std::make_shared<std::string>();
  tree.add(group, "rm", "Forget a name", [removed](Context& context) { return run_context_rm(context, *removed); })
      ->add_option("CONTEXT", *removed)
      ->required();
}

}  // namespace

void add_context_commands(CommandTree& tree) {
  auto& group = *tree.add_group("context", "Servers by name");
  tree.add(group, "ls", "List them", run_context_ls);
  tree.add(group, "show", "Show which server commands are for now", run_context_show);
  add_add(tree, group);
  add_use_and_rm(tree, group);
}

}  // namespace orchion::cli
