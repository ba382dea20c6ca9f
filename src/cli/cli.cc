#include "cli/cli.h"

#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"

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

// Builds the parser; each command's callback stores what to run, so that global options are known by then.
class Parser {
 public:
  explicit Parser(const CliHooks& hooks) : hooks_(hooks), app_(kExamples, "orchion") {
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Help on every command");
    add_globals();
    add_stack_commands();
    add_task_commands();
    add_node_commands();
    add_image_commands();
    add_server_commands();
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
    return action_(context);
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

  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help,
                std::function<int(Context&)> action) {
    auto* command = parent.add_subcommand(name, help);
    command->fallthrough();
    if (action) command->callback([this, action = std::move(action)] { action_ = action; });
    return command;
  }

  CLI::App* add_group(const std::string& name, const std::string& help) {
    auto* group = add(app_, name, help, nullptr);
    group->require_subcommand(1);
    return group;
  }

  static void add_files(CLI::App* command, FileOptions& files) {
    command->add_option("-f,--file", files.files, "Compose file; several are merged (default: ./compose.yaml)");
    command->add_option("--env-file", files.env_files, "File with variables, instead of .env");
    command->add_option("--profile", files.profiles, "Profile whose services belong to the stack; `*` for all");
    command->add_option("--project-directory", files.project_folder, "Where relative paths begin");
    command->add_flag("--allow-outside-files", files.allow_outside_files,
                      "Files that are included, or read for variables and secrets, may lie outside the project folder");
  }

  void add_stack_commands() {
    auto* up = add(app_, "up", "Start or change a stack, and wait until it runs",
                   [this](Context& context) { return run_up(context, up_); });
    add_files(up, up_.files);
    auto* detach = up->add_flag("-d,--detach", up_.detach, "Don't wait until everything runs");
    up->add_flag_callback("--wait", [] {}, "Wait until everything runs; the default")->excludes(detach);
    up->add_option("--timeout", up_.timeout, "How long to wait")->capture_default_str();

    add_files(add(app_, "plan", "Show what `up` would change",
                  [this](Context& context) { return run_plan(context, files_); }),
              files_);
    add_files(add(app_, "config", "Print the file as it is understood",
                  [this](Context& context) { return run_config(context, files_); }),
              files_);

    auto* down =
        add(app_, "down", "Stop and remove a stack", [this](Context& context) { return run_down(context, down_); });
    add_files(down, down_.files);
    down->add_flag("-v,--volumes", down_.volumes, "Remove its volumes and their data too");
    down->add_option("--timeout", down_.timeout, "How long to wait")->capture_default_str();

    auto* stop_all = add(app_, "stop-all", "Stop every stack that orchion started",
                         [this](Context& context) { return run_stop_all(context, down_.timeout); });
    stop_all->add_option("--timeout", down_.timeout, "How long to wait")->capture_default_str();

    auto* stack = add_group("stack", "Stacks");
    add(*stack, "ls", "List stacks", [](Context& context) { return run_stack_ls(context); });
  }

  void add_task_commands() {
    auto* ps = add(app_, "ps", "List tasks", [this](Context& context) { return run_ps(context, all_); });
    ps->add_flag("-a,--all", all_, "Those that ended and were replaced too");

    auto* inspect = add(app_, "inspect", "Everything about a stack, a service or a task",
                        [this](Context& context) { return run_inspect(context, what_); });
    inspect->add_option("WHAT", what_, "STACK, STACK/SERVICE or STACK/SERVICE.N")->required();

    auto* scale = add(app_, "scale", "Change how many tasks a service has",
                      [this](Context& context) { return run_scale(context, targets_); });
    scale->add_option("TARGET", targets_, "STACK/SERVICE=N")->required();

    auto* logs =
        add(app_, "logs", "Print what containers print", [this](Context& context) { return run_logs(context, logs_); });
    logs->add_option("WHAT", logs_.what, "STACK/SERVICE or STACK/SERVICE.N; the whole stack where left out");
    logs->add_flag("-f,--follow", logs_.follow, "Go on with what is printed from now on");
    logs->add_option("--since", logs_.since, "From a time on, or how long ago (10m)");
    logs->add_option("--until", logs_.until, "Up to a time, or how long ago");
    logs->add_option("-n,--tail", logs_.tail, "Only the last N lines of each task");
    logs->add_option("--grep", logs_.grep, "Only lines that match this regular expression");

    auto* exec = add(app_, "exec", "Run a command in a container",
                     [this](Context& context) { return run_exec(context, exec_); });
    exec->add_flag("-i,--interactive", exec_.interactive, "Pass standard input on");
    exec->add_flag("-t,--tty", exec_.tty, "With a terminal");
    exec->add_option("-u,--user", exec_.user, "As this user");
    exec->add_option("-w,--workdir", exec_.working_dir, "In this folder");
    exec->add_option("-e,--env", exec_.environment, "NAME=VALUE");
    exec->add_option("WHAT", exec_.what, "STACK/SERVICE.N, or STACK/SERVICE where it has one task")->required();
    exec->add_option("COMMAND", exec_.command, "After --")->required();

    auto* events =
        add(app_, "events", "What happened", [this](Context& context) { return run_events(context, follow_); });
    events->add_flag("-f,--follow", follow_, "Go on with what happens from now on");
  }

  void add_node_commands() {
    auto* node = add_group("node", "Machines of the cluster");
    add(*node, "ls", "List nodes", [](Context& context) { return run_node_ls(context); });
    add(*node, "inspect", "Everything about a node",
        [this](Context& context) { return run_node_inspect(context, what_); })
        ->add_option("NODE", what_)
        ->required();
    add(*node, "drain", "Move its tasks away and give it no new ones",
        [this](Context& context) { return run_node_availability(context, what_, "DRAINED"); })
        ->add_option("NODE", what_)
        ->required();
    add(*node, "activate", "Give it tasks again",
        [this](Context& context) { return run_node_availability(context, what_, "ACTIVE"); })
        ->add_option("NODE", what_)
        ->required();
    add(*node, "invite", "Print the line that lets another machine join",
        [](Context& context) { return run_node_invite(context); });
    auto* join = add(*node, "join", "Make this machine a node of the cluster that invited it",
                     [this](Context& context) { return hooks_.join(context, join_); });
    join->add_option("SERVER", join_.server, "HOST:PORT, as `node invite` prints it")->required();
    join->add_option("TOKEN", join_.token, "As `node invite` prints it")->required();
    join->add_flag("--foreground", join_.foreground, "Run the agent here instead of in the background");
    add_agent_options(join, join_.agent);
    auto* rm = add(*node, "rm", "Take it out of the cluster",
                   [this](Context& context) { return run_node_rm(context, what_, force_); });
    rm->add_option("NODE", what_)->required();
    rm->add_flag("--force", force_, "Also while it has tasks");
  }

  void add_image_commands() {
    auto* image = add_group("image", "Images on the nodes");
    add(*image, "ls", "List images", [](Context& context) { return run_image_ls(context); });
    add(*image, "pull", "Fetch an image from its registry",
        [this](Context& context) { return run_image_pull(context, what_); })
        ->add_option("IMAGE", what_)
        ->required();
    auto* push = add(*image, "push", "Send an image to a registry",
                     [this](Context& context) { return run_image_push(context, what_, name_, plain_http_); });
    push->add_option("IMAGE", what_)->required();
    push->add_option("DESTINATION", name_, "Another name for it there");
    push->add_flag("--plain-http", plain_http_, "The registry speaks no TLS; loopback only");
    auto* import =
        add(*image, "import", "Add an image from an archive: a root file system, docker-archive or OCI layout",
            [this](Context& context) { return run_image_import(context, what_, name_); });
    import->add_option("FILE", what_, "The archive; - for standard input")->required();
    import->add_option("NAME", name_, "Its name; needed where the archive has none");
    add(*image, "rm", "Remove an image", [this](Context& context) { return run_image_rm(context, what_); })
        ->add_option("IMAGE", what_)
        ->required();
    add(*image, "prune", "Remove every image that no task uses",
        [](Context& context) { return run_image_prune(context); });
  }

  void add_server_commands() {
    auto* server = add(app_, "server", "Run the control plane, and the agent of this machine",
                       [this](Context& context) { return hooks_.server(context, server_); });
    server->add_option("--http", server_.http, "Where REST listens")->capture_default_str();
    server->add_option("--grpc", server_.grpc, "Where gRPC listens")->capture_default_str();
    server->add_option("--advertise", server_.advertise, "HOST or HOST:PORT at which other machines reach this one");
    server->add_option("--nodes", server_.nodes, "Where it listens for them (default: as --advertise says)");
    server->add_flag("--no-agent", server_.no_agent, "Run nothing on this machine");
    server->add_flag("--background", server_.background, "Start one in the background where none answers");
    server->add_flag("--stop", server_.stop, "End the one on this data folder; its containers run on");
    server->add_option("--heartbeat", server_.heartbeat_seconds, "Seconds between a node's signs of life")
        ->capture_default_str()
        ->check(CLI::Range(1, 3600));
    server->add_option("--node-lost-after", server_.lost_seconds, "Seconds of silence after which a node is lost")
        ->capture_default_str()
        ->check(CLI::Range(2, 86400));
    add_log_level(server, server_.log_level);

    auto* agent =
        add(app_, "agent", "Run the agent of this machine: for the cluster it joined, or the server at --server",
            [this](Context& context) { return hooks_.agent(context, agent_); });
    agent->add_flag("--background", agent_.background, "Start it in the background");
    agent->add_flag("--stop", agent_.stop, "End the one on this data folder; its containers run on");
    add_agent_options(agent, agent_);

    add(app_, "version", "Print versions", [this](Context& context) { return run_version(context, hooks_.version); });
  }

  static void add_agent_options(CLI::App* command, AgentFlags& flags) {
    command->add_option("--hostname", flags.hostname, "The node's name (default: the machine's)");
    command->add_option("--label", flags.labels, "NAME=VALUE, for placement");
    command->add_option("--advertise", flags.advertise, "IPv4 address at which other nodes reach this one");
    add_log_level(command, flags.log_level);
  }

  static void add_log_level(CLI::App* command, std::string& level) {
    command->add_option("--log-level", level, "debug, info, warn or error")
        ->capture_default_str()
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  }

  const CliHooks& hooks_;
  CLI::App app_;
  GlobalOptions globals_;
  std::string output_ = "table";
  std::function<int(Context&)> action_;
  UpOptions up_;
  DownOptions down_;
  FileOptions files_;
  LogsOptions logs_;
  ExecOptions exec_;
  ServerFlags server_;
  AgentFlags agent_;
  JoinFlags join_;
  std::vector<std::string> targets_;
  std::string what_;
  std::string name_;
  bool all_ = false;
  bool follow_ = false;
  bool force_ = false;
  bool plain_http_ = false;
};

}  // namespace

int run_cli(int argc, char** argv, const CliHooks& hooks) {
  return Parser(hooks).run(argc, argv);
}

}  // namespace orchion::cli
