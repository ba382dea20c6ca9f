#include "cli/cli.h"

#include <iostream>

#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/refusal.h"
#include "client/contexts.h"

namespace orchion::cli {

namespace {

constexpr const char* kExamples =
    R"(  orchion up                              start what ./compose.yaml describes, and wait until it runs
  orchion up -f shop.yaml --stack shop    another file, another name
  orchion plan                            show what `up` would change
  orchion ps                              what runs
  orchion logs -f shop/web                follow the output of one service
  orchion exec -it shop/web.1 -- sh       a shell in one container
  orchion scale shop/web=3
  orchion down --volumes                  stop the stack and remove its data
)";

// The tree with the options that stand for every command, and what is said about arguments that make no sense.
class Parser {
 public:
  explicit Parser(const CliHooks& hooks)
      : hooks_(hooks), tree_("orchion runs Compose files in containers on your own machines.", "orchion") {
    CommandTree::add_examples(&app_, kExamples);
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Help on every command");
    add_globals();
    add_stack_commands(tree_);
    add_file_commands(tree_);
    add_task_commands(tree_);
    add_service_commands(tree_);
    add_node_commands(tree_, hooks);
    add_image_commands(tree_);
    add_server_commands(tree_, hooks);
    add_context_commands(tree_);
    add_tool_commands(tree_, hooks);
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
    const auto [command, path] = parsed_command(app_);
    if (command->get_require_subcommand_min() == 0) {
      app_.exit(error);
    } else {
      std::cerr << command->help(command == &app_ ? "" : "orchion");
    }
    return kExitUsage;
  }

  void add_globals() {
    // Understood before and after the command's name.
    app_.fallthrough();
    app_.add_option("--server", globals_.connection.server, "http://HOST:PORT or unix:PATH (ORCHION_SERVER)");
    app_.add_option("--token-file", globals_.connection.token_file, "File that holds the token (or ORCHION_TOKEN)");
    app_.add_option("--data", globals_.connection.data, "Data folder of the server on this machine (ORCHION_DATA)");
    app_.add_option("--stack", globals_.stack, "The stack that is meant");
    app_.add_flag("-y,--yes", globals_.yes, "Don't ask");
    app_.add_option("-o,--output", output_,
                    "How to print what is listed or inspected; `template=` names the fields of `template={meta.name}`")
        ->type_name(output_formats_text());
  }

  const CliHooks& hooks_;
  CommandTree tree_;
  CLI::App& app_ = tree_.root();
  GlobalOptions globals_;
  std::string output_ = "table";
};

}  // namespace

int run_cli(int argc, char** argv, const CliHooks& hooks) {
  return Parser(hooks).run(argc, argv);
}

}  // namespace orchion::cli
