#include "cli/cli.h"

#include <iostream>
#include <map>

#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/refusal.h"
#include "cli/value_check.h"
#include "client/contexts.h"

namespace orchion::cli {

namespace {

// The tree with the options that stand for every command, and what is said about arguments that make no sense.
class Parser {
 public:
  explicit Parser(const CliHooks& hooks)
      : hooks_(hooks), tree_("orchion runs Compose files in containers on your own machines.", "orchion") {
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Help on every command");
    add_global_options(tree_, globals_, output_);
    add_commands(tree_, hooks);
  }

  int run(int argc, char** argv) {
    // Of the completion scripts; what follows is not to be parsed, since it isn't finished.
    if (argc > 1 && std::string_view(argv[1]) == "__complete") return run_complete(app_, {argv + 2, argv + argc});
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return error.get_exit_code() == 0 ? app_.exit(error) : refuse(error);
    }
    auto output = parse_output(output_);
    if (!output) return refuse(output.error().message);
    globals_.output = *output;
    if (!tree_.is_local(parsed_command(app_).app)) globals_.connection.contexts = client::contexts_file();
    Context context(globals_, hooks_.start_server);
    return tree_.action()(context);
  }

 private:
  static int refuse(const std::string& sentence) {
    std::cerr << "orchion: " << sentence << "\n";
    return kExitUsage;
  }

  // CLI11 says that a command is missing, not which word is none; alone, it doesn't say what there is.
  int refuse(const CLI::ParseError& error) {
    if (const auto sentence = refusal_of(app_); !sentence.empty()) return refuse(sentence);
    const auto* command = parsed_command(app_).app;
    const bool lacks_command = command->get_require_subcommand_min() > 0 && error.get_name() == "RequiredError";
    if (!lacks_command) return refuse(refusal_of(app_, error));
    std::cerr << command->help(command == &app_ ? "" : "orchion");
    return kExitUsage;
  }

  const CliHooks& hooks_;
  CommandTree tree_;
  CLI::App& app_ = tree_.root();
  GlobalOptions globals_;
  std::string output_ = "table";
};

}  // namespace

void add_global_options(CommandTree& tree, GlobalOptions& globals, std::string& output) {
  auto& root = tree.root();
  // Understood before and after the command's name.
  root.fallthrough();
  root.add_option("--server", globals.connection.server, "http://HOST:PORT or unix:PATH (ORCHION_SERVER)")
      ->check(check_server);
  root.add_option("--token-file", globals.connection.token_file, "File that holds the token (or ORCHION_TOKEN)");
  root.add_option("--data", globals.connection.data, "Data folder of the server on this machine (ORCHION_DATA)");
  root.add_option("--stack", globals.stack, "The stack that is meant")->check(check_name);
  const std::map<std::string, ProgressMode> modes = {{"auto", ProgressMode::kAuto},
                                                     {"tty", ProgressMode::kTty},
                                                     {"plain", ProgressMode::kPlain},
                                                     {"quiet", ProgressMode::kQuiet}};
  auto* progress = root.add_option_function<std::string>(
      "--progress", [&globals, modes](const std::string& word) { globals.progress = modes.at(word); },
      "How waiting is shown: drawn in place (tty), line by line (plain), not (quiet); auto: as the terminal can");
  offer(progress, {"auto", "tty", "plain", "quiet"});
  root.add_flag("-y,--yes", globals.yes, "Don't ask");
  root.add_option("-o,--output", output,
                  "How to print what is listed or inspected; `template=` names the fields of `template={meta.name}`")
      ->type_name(output_formats_text());
}

void add_commands(CommandTree& tree, const CliHooks& hooks) {
  add_stack_commands(tree);
  add_file_commands(tree);
  add_task_commands(tree);
  add_service_commands(tree);
  add_job_commands(tree);
  add_node_commands(tree, hooks);
  add_image_commands(tree);
  add_network_commands(tree);
  add_route_commands(tree);
  add_channel_commands(tree);
  add_server_commands(tree, hooks);
  add_context_commands(tree);
  add_tool_commands(tree, hooks);
  add_examples(tree.root());
}

int run_cli(int argc, char** argv, const CliHooks& hooks) {
  return Parser(hooks).run(argc, argv);
}

}  // namespace orchion::cli
