#include "bench/place.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <iostream>

#include <fmt/core.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/file.h"
#include "bench/placement_replay.h"
#include "cli/output.h"
#include "control/scheduler/synthetic_load.h"

namespace orchion::bench {

namespace {

using control::scheduler::ClassIndex;
using control::scheduler::Strategy;

Strategy strategy_of(const std::string& name) {
  if (name == "bin-pack") return Strategy::kBinPack;
  if (name == "spread") return Strategy::kSpread;
  return name == "round-robin" ? Strategy::kRoundRobin : Strategy::kFragmentation;
}

boost::json::object object_of(const Replay& run) {
  boost::json::object unplaced;
  for (const auto& [reason, tasks] : run.unplaced) unplaced[reason] = tasks;
  return {{"seed", run.seed},
          {"arrived", run.arrived},
          {"placed", run.placed},
          {"gpuAllocatedPercent", run.gpu_allocated_percent},
          {"unplaced", unplaced}};
}

base::Result<PlacementTrace> read_files(const cli::BenchPlaceFlags& flags) {
  ASSIGN_OR_RETURN(const auto nodes, base::read_file(flags.nodes));
  ASSIGN_OR_RETURN(const auto tasks, base::read_file(flags.tasks));
  ASSIGN_OR_RETURN(auto trace, read_trace(nodes, flags.nodes, tasks, flags.tasks));
  if (trace.gpus == 0)
    return base::fail(base::Code::kInvalidArgument, flags.nodes + " has no GPU, by which the result is measured");
  const auto wants_gpu = [&](ClassIndex wanted) { return trace.classes[wanted].gpus.count > 0; };
  if (std::none_of(trace.tasks.begin(), trace.tasks.end(), wants_gpu))
    return base::fail(base::Code::kInvalidArgument, flags.tasks +
                                                        " has no task that wants a GPU, by which arrivals are "
                                                        "counted");
  return trace;
}

void print_table(const std::vector<Replay>& runs, double mean, double rate) {
  std::vector<std::vector<std::string>> rows = {{"SEED", "ARRIVED", "PLACED", "GPU ALLOCATED", "UNPLACED"}};
  for (const auto& run : runs) {
    std::string unplaced;
    for (const auto& [reason, tasks] : run.unplaced)
      unplaced += fmt::format("{}{} lack {}", unplaced.empty() ? "" : ", ", tasks, reason);
    rows.push_back({std::to_string(run.seed), std::to_string(run.arrived), std::to_string(run.placed),
                    fmt::format("{:.2f} %", run.gpu_allocated_percent), unplaced});
  }
  std::cout << cli::format_table(rows);
  std::cout << fmt::format("mean {:.2f} %, {:.0f} decisions a second\n", mean, rate);
}

}  // namespace

namespace {

constexpr std::size_t kSyntheticDecisions = 400'000;

// Of one core, whoever else is on it: clock() counts what this process had of it.
double decisions_per_second(std::size_t decisions, const std::function<void(std::size_t)>& run) {
  const auto begin = std::clock();
  run(decisions);
  return static_cast<double>(decisions) * CLOCKS_PER_SEC / static_cast<double>(std::clock() - begin);
}

int bench_synthetic(cli::Context& context, const cli::BenchPlaceFlags& flags) {
  const auto nodes = static_cast<std::size_t>(flags.synthetic);
  control::scheduler::SyntheticLoad load(nodes, flags.seed);
  load.run(kSyntheticDecisions / 10);
  const double mixed = decisions_per_second(kSyntheticDecisions, [&](std::size_t n) { load.run(n); });
  load.run_replicas(kSyntheticDecisions / 100);
  const double replicas = decisions_per_second(kSyntheticDecisions, [&](std::size_t n) { load.run_replicas(n); });
  const auto bytes = load.engine().bytes() / nodes;
  if (cli::wants_object(context))
    return cli::print_object(context, boost::json::serialize(boost::json::object{{"nodes", nodes},
                                                                                 {"decisionsPerSecond", mixed},
                                                                                 {"replicasPerSecond", replicas},
                                                                                 {"placed", load.placed()},
                                                                                 {"refused", load.refused()},
                                                                                 {"bytesPerNode", bytes}}));
  std::cout << fmt::format("{} nodes: {:.0f} decisions a second of a mix ({} placed, {} refused)\n", nodes, mixed,
                           load.placed(), load.refused())
            << fmt::format("{:.0f} of one service's replicas; {} bytes a node\n", replicas, bytes);
  return cli::kExitOk;
}

}  // namespace

int run_bench_place(cli::Context& context, const cli::BenchPlaceFlags& flags) {
  if (flags.synthetic > 0) return bench_synthetic(context, flags);
  if (flags.nodes.empty())
    return context.refuse({base::Code::kInvalidArgument, "say what to place: --nodes with --tasks, or --synthetic"});
  const auto trace = read_files(flags);
  if (!trace) return context.fail(trace.error());
  std::vector<Replay> runs;
  std::size_t decisions = 0;
  double mean = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < flags.runs; ++i) {
    runs.push_back(
        replay(*trace, strategy_of(flags.strategy), flags.arrivals, flags.seed + static_cast<std::uint64_t>(i)));
    decisions += runs.back().arrived;
    mean += runs.back().gpu_allocated_percent / flags.runs;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const double rate = static_cast<double>(decisions) / seconds.count();
  if (!cli::wants_object(context)) {
    print_table(runs, mean, rate);
    return cli::kExitOk;
  }
  boost::json::array each;
  std::map<std::string, std::size_t> unplaced;
  for (const auto& run : runs) {
    each.push_back(object_of(run));
    for (const auto& [reason, tasks] : run.unplaced) unplaced[reason] += tasks;
  }
  boost::json::object all;
  for (const auto& [reason, tasks] : unplaced) all[reason] = tasks;
  return cli::print_object(context, boost::json::serialize(boost::json::object{{"strategy", flags.strategy},
                                                                               {"nodes", trace->nodes.size()},
                                                                               {"gpus", trace->gpus},
                                                                               {"gpuAllocatedPercent", mean},
                                                                               {"decisionsPerSecond", rate},
                                                                               {"unplaced", all},
                                                                               {"runs", each}}));
}

}  // namespace orchion::bench
