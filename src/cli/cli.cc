#include "cli/cli.h"

#include <algorithm>
#include <iostream>

#include "cli/command_tree.h"

namespace orchion::cli {

namespace {

constexpr const char* kExamples = R"(orchion runs Compose files in containers on your own machines.

Examples:
  orchion up                              start what ./compose.yaml describes, and wait until it runs
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
  explicit Parser(const CliHooks& hooks) : hooks_(hooks), tree_(kExamples, "orchion") {
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Help on every command");
    add_globals();
    add_stack_commands(tree_);
    add_task_commands(tree_);
    add_service_commands(tree_);
    add_node_commands(tree_, hooks);
    add_image_commands(tree_);
    add_server_commands(tree_, hooks);
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::RequiredError& error) {
      return refuse(error);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? kExitOk : kExitUsage;
    }
    if (const auto format = formats().find(output_); format != formats().end()) globals_.output = format->second;
    Context context(globals_, hooks_.start_server);
    return tree_.action()(context);
  }

 private:
  static const std::map<std::string, OutputFormat>& formats() {
    static const std::map<std::string, OutputFormat> all = {{"table", OutputFormat::kTable},
                                                            {"wide", OutputFormat::kWide},
                                                            {"json", OutputFormat::kJson},
                                                            {"yaml", OutputFormat::kYaml},
                                                            {"name", OutputFormat::kName}};
    return all;
  }

  // CLI11 says that a command is missing, not which word is none; alone, it doesn't say what there is.
  int refuse(const CLI::RequiredError& error) {
    CLI::App* group = &app_;
    std::string path = "orchion";
    while (!group->get_subcommands().empty()) {
      group = group->get_subcommands().front();
      path += " " + group->get_name();
    }
    if (group->get_require_subcommand_min() == 0) {
      app_.exit(error);
      return kExitUsage;
    }
    const auto words = app_.remaining(true);
    const auto word = std::ranges::find_if(words, [](const std::string& text) { return !text.starts_with('-'); });
    if (word == words.end()) {
      std::cerr << group->help(group == &app_ ? "" : "orchion");
    } else {
      std::cerr << "orchion: there is no `" << path << " " << *word << "`: `" << path
                << " --help` lists the commands\n";
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
    app_.add_option("-o,--output", output_, "table, wide, json, yaml or name")
        ->check(CLI::IsMember({"table", "wide", "json", "yaml", "name"}));
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
