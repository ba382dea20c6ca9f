#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

using ServicesAction = int (*)(Context&, const ServicesOptions&);

CLI::Option* add_services(CommandTree& tree, const std::string& name, const std::string& help, ServicesAction action) {
  auto options = std::make_shared<ServicesOptions>();
  auto* command = tree.add(name, help, [options, action](Context& context) { return action(context, *options); });
  command->add_flag("-d,--detach", options->detach, "Don't wait until it is done");
  add_timeout(command, options->timeout);
  return command->add_option("WHAT", options->what, "STACK/SERVICE or STACK; the stack of this folder where left out");
}

void add_wait(CommandTree& tree) {
  auto what = std::make_shared<std::vector<std::string>>();
  auto condition = std::make_shared<std::string>("running");
  auto timeout = std::make_shared<std::string>("5m");
  auto* wait = tree.add("wait", "Return when something holds: `orchion wait shop/db --for healthy`",
                        [=](Context& context) { return run_wait(context, *what, *condition, *timeout); });
  wait->add_option("WHAT", *what, "STACK/SERVICE or STACK; the stack of this folder where left out");
  offer(wait->add_option("--for", *condition, "running, healthy, completed, stopped or removed")->capture_default_str(),
        {"running", "healthy", "completed", "stopped", "removed"});
  add_timeout(wait, *timeout);
}

void add_health(CommandTree& tree) {
  auto files = std::make_shared<FileOptions>();
  auto what = std::make_shared<std::string>();
  auto* health = tree.add("health", "Say how the tasks are; exit code 1 where one is unhealthy or doesn't run",
                          [=](Context& context) { return run_health(context, *files, *what); });
  add_file_options(health, *files);
  health->add_option("WHAT", *what,
                     "STACK/SERVICE.N for what its checks found, STACK/SERVICE or STACK; the stack of this folder, "
                     "else all, where left out");
}

void add_run(CommandTree& tree) {
  auto options = std::make_shared<RunOptions>();
  auto* run =
      tree.add("run", "Run one container: `orchion run alpine:3 -- echo hi`, or beside a file `orchion run web -- sh`",
               [options](Context& context) { return run_run(context, *options); });
  run->add_flag("-d,--detach", options->detach, "In the background, and kept up");
  run->add_flag_callback("--rm", [] {}, "Remove it when it has ended; the default");
  run->add_flag("--keep", options->keep, "Don't remove it when it has ended");
  run->add_flag("-i,--interactive", options->interactive, "Pass standard input on");
  run->add_flag("-t,--tty", options->tty, "With a terminal");
  run->add_option("--detach-keys", options->detach_keys, "What leaves it running, typed with -t")
      ->capture_default_str()
      ->check(check_keys);
  run->add_option("--name", options->name, "The service's name (default: made up)")->check(check_name);
  run->add_option("-p,--publish", options->ports, "[ADDRESS:][PORT:]PORT[/udp]")
      ->allow_extra_args(false)
      ->check(check_ports);
  add_container_options(run, *options);
  offer(run->add_option("--restart", options->restart, "no, on-failure, always or unless-stopped"),
        {"no", "on-failure", "always", "unless-stopped"});
  add_timeout(run, options->timeout, "How long it may take to start");
  run->add_option("WHAT", options->what, "IMAGE, or a service of the file here")->required();
  run->add_option("COMMAND", options->command, "After --; instead of the image's");
}

}  // namespace

void add_service_commands(CommandTree& tree) {
  add_run(tree);
  add_services(tree, "restart", "Replace tasks by new ones, one by one", &run_restart);
  add_services(tree, "stop", "Stop tasks; `start` or `up` have them run again", &run_stop);
  add_services(tree, "start", "Start what was stopped", &run_start);
  add_services(tree, "rm", "Stop and remove services", &run_rm)->required();
  add_wait(tree);
  add_health(tree);
}

}  // namespace orchion::cli
