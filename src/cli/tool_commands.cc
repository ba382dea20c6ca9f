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

void add_bench_place(CommandTree& tree, CLI::App& bench, const CliHooks& hooks) {
  auto flags = std::make_shared<BenchPlaceFlags>();
  auto* place = tree.add(bench, "place", "Place the tasks of a trace on the nodes of one, and say how well it went",
                         [flags, &hooks](Context& context) { return hooks.bench_place(context, *flags); });
  auto* nodes =
      place->add_option("--nodes", flags->nodes, "CSV file with the columns cpu_milli, memory_mib, gpu and model");
  auto* tasks = place->add_option("--tasks", flags->tasks,
                                  "CSV file with the columns cpu_milli, memory_mib, num_gpu, gpu_milli and gpu_spec");
  nodes->needs(tasks);
  tasks->needs(nodes);
  bound(place
            ->add_option("--synthetic", flags->synthetic,
                         "No files: a load made up for this many nodes, with churn, and how fast it is placed")
            ->excludes(nodes)
            ->excludes(tasks),
        1, 100'000);
  place
      ->add_option("--arrivals", flags->arrivals,
                   "Tasks come, beyond the file drawn anew, until they have asked for this many times the nodes' GPUs")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 100.0));
  place->add_option("--seed", flags->seed, "Of the order in which they come")->capture_default_str();
  bound(place->add_option("--runs", flags->runs, "This many, each with the next seed, and their mean")
            ->capture_default_str(),
        1, 1000);
  offer(
      place->add_option("--strategy", flags->strategy, "Which of the nodes that can is chosen")->capture_default_str(),
      {"bin-pack", "spread", "round-robin", "fragmentation"});
  tree.keep_local(place);
}

void add_bench_cluster(CommandTree& tree, CLI::App& bench, const CliHooks& hooks) {
  auto flags = std::make_shared<BenchClusterFlags>();
  auto* cluster =
      tree.add(bench, "cluster",
               "Start a server in a temporary folder with nodes that only seem to run containers, and say how soon "
               "tasks run",
               [flags, &hooks](Context& context) { return hooks.bench_cluster(context, *flags); });
  bound(cluster->add_option("--nodes", flags->nodes, "Nodes, all of this one process")->capture_default_str(), 1,
        10'000);
  bound(cluster->add_option("--tasks", flags->tasks, "Tasks in all")->capture_default_str(), 1, 10'000'000);
  bound(cluster->add_option("--replicas", flags->replicas, "Tasks of each service, which has a stack to itself")
            ->capture_default_str(),
        1, 10'000);
  bound(cluster->add_option("--timeout", flags->seconds, "Seconds until it gives up")->capture_default_str(), 1,
        86'400);
  tree.keep_local(cluster);
}

void add_bench_load(CommandTree& tree, CLI::App& bench, const CliHooks& hooks) {
  auto flags = std::make_shared<BenchLoadFlags>();
  auto* load =
      tree.add(bench, "load", "Start a server in a temporary folder, use it steadily, and say how soon it answers whom",
               [flags, &hooks](Context& context) { return hooks.bench_load(context, *flags); });
  const auto add = [&](const char* name, int& value, const char* help, int most) {
    bound(load->add_option(name, value, help)->capture_default_str(), 1, most);
  };
  add("--nodes", flags->nodes, "Nodes that only seem to run containers, and say every 5 s that they live", 10'000);
  add("--watchers", flags->watchers, "Streams of changes", 10'000);
  add("--writes", flags->writes, "Changes a second beside those of the callers; watchers see them all", 1000);
  add("--callers", flags->callers, "Clients of the API", 10'000);
  add("--requests", flags->requests, "Their requests a second together; one in five is a change", 10'000);
  add("--seconds", flags->seconds, "For so long", 86'400);
  tree.keep_local(load);
}

void add_bench(CommandTree& tree, const CliHooks& hooks) {
  auto* bench = tree.add_group("bench", "Measure parts of orchion on this machine, on a load that is made up");
  add_bench_place(tree, *bench, hooks);
  add_bench_cluster(tree, *bench, hooks);
  add_bench_load(tree, *bench, hooks);
}

}  // namespace

void add_tool_commands(CommandTree& tree, const CliHooks& hooks) {
  add_completion(tree);
  add_man(tree, hooks);
  add_doctor(tree, hooks);
  add_bench(tree, hooks);
}

}  // namespace orchion::cli
