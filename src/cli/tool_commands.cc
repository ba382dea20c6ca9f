#include <iostream>

#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/doctor.h"
#include "cli/man_pages.h"

namespace orchion::cli {

namespace {

void add_completion(CommandTree& tree) {
  auto shell = std::make_shared<std::string>();
  auto* completion =
      tree.add("completion", "Print the script that lets a shell complete commands and names", [shell](Context&) {
        std::cout << completion_script(*shell);
        return kExitOk;
      });
  offer(completion->add_option("SHELL", *shell, "bash, zsh or fish")->required(), {"bash", "zsh", "fish"});
}

void add_man(CommandTree& tree, const CliHooks& hooks) {
  auto folder = std::make_shared<std::string>();
  auto* man = tree.add("man", "Write the manual: one page for each command", [&tree, &hooks, folder](Context& context) {
    return run_man(context, tree.root(), hooks.version, *folder);
  });
  man->add_option("DIR", *folder, "Where the pages are written; left out: orchion(1) goes to standard output");
}

void add_doctor(CommandTree& tree, const CliHooks& hooks) {
  auto bundle = std::make_shared<std::string>();
  auto* doctor = tree.add("doctor", "Check the server and this machine, and say what to do",
                          [&hooks, bundle](Context& context) { return run_doctor(context, hooks.version, *bundle); });
  doctor->add_option("--bundle", *bundle, "Write that, and what the server knows without its secrets, to this tar.gz");
}

}  // namespace

void add_tool_commands(CommandTree& tree, const CliHooks& hooks) {
  add_completion(tree);
  add_man(tree, hooks);
  add_doctor(tree, hooks);
}

}  // namespace orchion::cli
