#include <iostream>

#include "cli/command_tree.h"
#include "cli/completion.h"
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
  CommandTree::add_examples(completion,
                            R"(  source <(orchion completion bash)                                  in ~/.bashrc
  source <(orchion completion zsh)                                   in ~/.zshrc, after compinit
  orchion completion fish > ~/.config/fish/completions/orchion.fish
)");
  completion->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

void add_man(CommandTree& tree, const CliHooks& hooks) {
  auto folder = std::make_shared<std::string>();
  auto* man = tree.add("man", "Write the manual: one page for each command", [&tree, &hooks, folder](Context& context) {
    return run_man(context, tree.root(), hooks.version, *folder);
  });
  CommandTree::add_examples(man, R"(  orchion man | man -l -                          read the first page
  orchion man /usr/local/share/man/man1           then `man orchion-up`
)");
  man->add_option("DIR", *folder, "Where the pages are written; left out: orchion(1) goes to standard output");
}

}  // namespace

void add_tool_commands(CommandTree& tree, const CliHooks& hooks) {
  add_completion(tree);
  add_man(tree, hooks);
}

}  // namespace orchion::cli
