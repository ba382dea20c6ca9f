#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/log_options.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

void add_ps(CommandTree& tree) {
  auto all = std::make_shared<bool>(false);
  auto files = std::make_shared<FileOptions>();
  auto* ps = tree.add("ps", "List tasks", [all, files](Context& context) { return run_ps(context, *all, *files); });
  add_file_options(ps, *files);
  ps->add_flag("-a,--all", *all, "Those that ended and were replaced too");
}

void add_top(CommandTree& tree) {
  auto options = std::make_shared<TopOptions>();
  auto* top = tree.add("top", "What tasks use: processor, memory, network and disk; live on a terminal",
                       [options](Context& context) { return run_top(context, *options); });
  top->add_option("WHAT", options->what, "STACK, STACK/SERVICE or SERVICE; left out: as `orchion ps`");
  auto* once = top->add_flag("--no-stream", options->no_stream, "Once, also on a terminal");
  top->add_flag("-f,--follow", options->follow, "Go on also without a terminal; with -o json a line for each sample")
      ->excludes(once);
  offer(top->add_option("--sort", options->sort, "What stands first")->capture_default_str(),
        {"cpu", "memory", "name"});
  top->add_option("--interval", options->interval, "Between two samples: 200ms to 60s")
      ->capture_default_str()
      ->check(check_duration);
}

void add_inspect(CommandTree& tree) {
  auto options = std::make_shared<InspectOptions>();
  auto* inspect = tree.add("inspect", "Everything about a stack or a service; what became of a task",
                           [options](Context& context) { return run_inspect(context, *options); });
  inspect->add_option("WHAT", options->what, "STACK, STACK/SERVICE or STACK/SERVICE.N; of a task that is gone its name")
      ->required();
  inspect->add_flag("--previous", options->previous, "With the tasks that were in its slot before");
}

void add_scale(CommandTree& tree) {
  auto targets = std::make_shared<std::vector<std::string>>();
  auto* scale = tree.add("scale", "Change how many tasks a service has",
                         [targets](Context& context) { return run_scale(context, *targets); });
  scale->add_option("TARGET", *targets, "STACK/SERVICE=N")->required()->check(check_scaling);
}

void add_logs(CommandTree& tree) {
  auto options = std::make_shared<LogsOptions>();
  auto* logs = tree.add("logs", "Print what containers print",
                        [options](Context& context) { return run_logs(context, *options); });
  logs->add_option("WHAT", options->what, "STACK/SERVICE or STACK/SERVICE.N; the whole stack where left out");
  logs->add_flag("-A,--all", options->all, "Of all stacks");
  logs->add_option("--node", options->node, "Only of tasks on this node; of all stacks where WHAT is left out");
  logs->add_option("--task", options->task, "Only of the task with this uid, gone or not");
  add_log_options(*logs, *options);
}

void add_exec(CommandTree& tree) {
  auto options = std::make_shared<ExecOptions>();
  auto* exec = tree.add("exec", "Run a command in a container",
                        [options](Context& context) { return run_exec(context, *options); });
  exec->add_flag("-i,--interactive", options->interactive, "Pass standard input on");
  exec->add_flag("-t,--tty", options->tty, "With a terminal");
  exec->add_option("-u,--user", options->user, "As this user");
  exec->add_option("-w,--workdir", options->working_dir, "In this folder");
  exec->add_option("-e,--env", options->environment, "NAME=VALUE")->allow_extra_args(false)->check(check_variable);
  exec->add_option("WHAT", options->what, "STACK/SERVICE.N, or STACK/SERVICE where it has one task")->required();
  exec->add_option("COMMAND", options->command, "After --")->required();
}

void add_attach(CommandTree& tree) {
  auto options = std::make_shared<AttachOptions>();
  auto* attach =
      tree.add("attach", "Be in front of what a container runs: its output so far and from now on, its input",
               [options](Context& context) { return run_attach(context, *options); });
  attach->add_flag("--no-stdin", options->no_stdin, "Only listen");
  attach->add_option("--detach-keys", options->detach_keys, "What leaves it running, typed at a terminal")
      ->capture_default_str()
      ->check(check_keys);
  attach->add_option("WHAT", options->what, "STACK/SERVICE.N, or STACK/SERVICE where it has one task")->required();
}

void add_cp(CommandTree& tree) {
  auto options = std::make_shared<CpOptions>();
  auto* cp = tree.add("cp", "Copy files between this machine and a container",
                      [options](Context& context) { return run_cp(context, *options); });
  cp->add_flag("-L,--follow-link", options->follow_link,
               "What a link at the source's end leads to, instead of the link");
  cp->add_flag("-a,--archive", options->archive,
               "Keep owners, setuid bits and devices; else they become the receiver's");
  cp->add_option("SOURCE", options->source, "STACK/SERVICE.N:PATH, a path on this machine, or - for a tar")->required();
  cp->add_option("DESTINATION", options->destination, "The same; one of the two is in a container")->required();
}

void add_port_forward(CommandTree& tree) {
  auto options = std::make_shared<PortForwardOptions>();
  auto* forward = tree.add("port-forward", "Lead ports of this machine to a container's, published or not",
                           [options](Context& context) { return run_port_forward(context, *options); });
  forward->add_option("--address", options->address, "Where to listen on this machine")->capture_default_str();
  forward->add_option("WHAT", options->what, "STACK/SERVICE, or STACK/SERVICE.N for a certain one")->required();
  forward->add_option("PORT", options->ports, "[LOCAL:]REMOTE; LOCAL 0: any that is free")
      ->required()
      ->check(check_forwarding);
}

void add_events(CommandTree& tree) {
  auto options = std::make_shared<EventsOptions>();
  auto* events =
      tree.add("events", "What happened", [options](Context& context) { return run_events(context, *options); });
  events->add_option("WHAT", options->what, "STACK, STACK/SERVICE or STACK/SERVICE.N; everything where left out");
  events->add_flag("-f,--follow", options->follow, "Go on with what happens from now on");
  events->add_option("--since", options->since, "From a time on, or how long ago (10m)")->check(check_moment);
  events->add_option("--node", options->node, "Only on this node, and to it");
  events->add_option("--reason", options->reason, "Only for this reason (TaskRestarted)");
}

}  // namespace

void add_task_commands(CommandTree& tree) {
  add_ps(tree);
  add_top(tree);
  add_inspect(tree);
  add_scale(tree);
  add_logs(tree);
  add_exec(tree);
  add_attach(tree);
  add_cp(tree);
  add_port_forward(tree);
  add_events(tree);
}

}  // namespace orchion::cli
