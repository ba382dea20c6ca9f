#include "bench/cluster.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/timeout.h"
#include "bench/latency_histogram.h"
#include "bench/server.h"
#include "bench/simulated_agents.h"
#include "cli/output.h"
#include "client/api_client.h"
#include "v1/control.pb.h"

namespace orchion::bench {

namespace {

using std::chrono::milliseconds;

constexpr auto kLook = milliseconds(100);

// Stacks that are asked for at the same time.
constexpr std::size_t kCallersAtOnce = 8;

// Between two looks at the tasks of one stack.
constexpr auto kPsEvery = milliseconds(250);

double seconds(base::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

struct Found {
  double joined_seconds = 0;
  double decided_seconds = 0;  // these from the first stack that is asked for
  double durable_seconds = 0;
  double running_seconds = 0;
  ProcessUse server, agents;
  std::int64_t disk_bytes = 0;
};

// What a user does, and watches.
class Run {
 public:
  Run(base::Executor executor, const cli::BenchClusterFlags& flags, const client::Connection& connection,
      AgentTally& tally, LatencyHistogram& ps)
      : flags_(flags),
        connection_(connection),
        tally_(tally),
        ps_(ps),
        executor_(executor),
        stacks_((static_cast<std::size_t>(flags.tasks) + static_cast<std::size_t>(flags.replicas) - 1) /
                static_cast<std::size_t>(flags.replicas)) {}

  base::Co<Found> play() {
    using boost::asio::experimental::awaitable_operators::operator||;
    const auto begin = clock_.now();
    while (tally_.joined < static_cast<std::size_t>(flags_.nodes)) CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
    found_.joined_seconds = seconds(clock_.now() - begin);
    begun_ = clock_.now();
    begun_wall_ = clock_.wall();
    auto first = co_await (ask_and_wait() || look_at_one_stack());
    auto ended = std::visit([](const auto& result) -> base::Result<> { return result; }, first);
    CO_RETURN_IF_ERROR(ended);
    co_return found_;
  }

 private:
  static std::string stack_name(std::size_t number) { return fmt::format("bench-{:04}", number); }

  v1::ApplyStackRequest stack(std::size_t number) const {
    v1::ApplyStackRequest request;
    request.set_name(stack_name(number));
    auto& service = *request.mutable_spec()->add_services();
    service.set_name("web");
    const auto before = number * static_cast<std::size_t>(flags_.replicas);
    service.mutable_spec()->set_replicas(static_cast<std::uint32_t>(
        std::min(static_cast<std::size_t>(flags_.replicas), static_cast<std::size_t>(flags_.tasks) - before)));
    auto& container = *service.mutable_spec()->mutable_container();
    container.set_image("bench:1");
    container.set_network_mode(v1::HOST_NETWORK);
    container.mutable_reservations()->set_nano_cpus(1'000'000);
    container.mutable_reservations()->set_memory_bytes(1 << 20);
    return request;
  }

  base::Co<> ask_and_wait() {
    using boost::asio::experimental::awaitable_operators::operator&&;
    static_assert(kCallersAtOnce == 8);
    auto asked = co_await (ask(0) && ask(1) && ask(2) && ask(3) && ask(4) && ask(5) && ask(6) && ask(7));
    auto failed = std::apply(
        [](const auto&... each) {
          base::Result<> all;
          ((all = all ? each : all), ...);
          return all;
        },
        asked);
    CO_RETURN_IF_ERROR(failed);
    while (tally_.reported < static_cast<std::size_t>(flags_.tasks)) CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
    client::ApiClient api(executor_, connection_);
    for (std::size_t running = 0; running < static_cast<std::size_t>(flags_.tasks);) {
      v1::ListStacksRequest request;
      request.set_page_size(10'000);
      CO_ASSIGN_OR_RETURN(const auto listed,
                          co_await api.call<v1::ListStacksResponse>("orchion.v1.StackService.ListStacks", request));
      running = 0;
      for (const auto& stack : listed.stacks()) running += stack.status().tasks_running();
      if (running < static_cast<std::size_t>(flags_.tasks)) CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
    }
    found_.running_seconds = seconds(clock_.now() - begun_);
    found_.durable_seconds = static_cast<double>(tally_.assigned_at - begun_.time_since_epoch().count()) / 1e9;
    found_.decided_seconds = static_cast<double>(tally_.decided_at - begun_wall_.time_since_epoch().count()) / 1e9;
    co_return base::Result<>{};
  }

  // Every so manyeth stack.
  base::Co<> ask(std::size_t caller) {
    client::ApiClient api(executor_, connection_);
    for (auto number = caller; number < stacks_; number += kCallersAtOnce)
      CO_RETURN_IF_ERROR(
          co_await api.call<v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", stack(number)));
    co_return base::Result<>{};
  }

  // As `orchion ps --stack` does. Never ends by itself.
  base::Co<> look_at_one_stack() {
    client::ApiClient api(executor_, connection_);
    while (true) {
      CO_RETURN_IF_ERROR(co_await clock_.sleep(kPsEvery));
      v1::ListTasksRequest request;
      request.set_stack(stack_name(0));
      request.set_page_size(10'000);
      const auto begin = clock_.now();
      CO_RETURN_IF_ERROR(co_await api.call_json("orchion.v1.TaskService.ListTasks",
                                                std::make_shared<const v1::ListTasksRequest>(request)));
      ps_.add(clock_.now() - begin);
    }
  }

  const cli::BenchClusterFlags& flags_;
  const client::Connection& connection_;
  AgentTally& tally_;
  LatencyHistogram& ps_;
  base::Executor executor_;
  base::SystemClock clock_;
  const std::size_t stacks_;
  base::Time begun_;
  base::WallTime begun_wall_;
  Found found_;
};

void print_table(const cli::BenchClusterFlags& flags, const Found& found, const AgentTally& tally,
                 const LatencyHistogram& ps) {
  const auto rate = [&](const char* what, double after) {
    return std::vector<std::string>{what, fmt::format("{:.1f} s", after), fmt::format("{:.0f}", flags.tasks / after)};
  };
  std::cout << fmt::format("{} nodes joined in {:.1f} s; {} tasks, {} a service:\n", flags.nodes, found.joined_seconds,
                           flags.tasks, flags.replicas)
            << cli::format_table({{"", "ALL AFTER", "A SECOND"},
                                  rate("decided", found.decided_seconds),
                                  rate("durable, told to their nodes", found.durable_seconds),
                                  rate("running", found.running_seconds)})
            << fmt::format("`ps` of one stack meanwhile: median {:.0f} ms, p99 {:.0f} ms, worst {:.0f} ms of {}\n",
                           ps.ms(0.5), ps.ms(0.99), ps.ms(1), ps.count())
            << fmt::format("heartbeats answered: p99 {:.0f} ms, worst {:.0f} ms; {} sessions of {} nodes\n",
                           tally.heartbeats.ms(0.99), tally.heartbeats.ms(1), tally.sessions.load(), flags.nodes)
            << fmt::format(
                   "server: {:.0f} MiB at its peak, {:.1f} CPU s, {:.0f} MiB on the disk; agents: {:.1f} CPU s\n",
                   static_cast<double>(found.server.peak_rss_bytes) / (1 << 20), found.server.cpu_seconds,
                   static_cast<double>(found.disk_bytes) / (1 << 20), found.agents.cpu_seconds);
}

boost::json::object object_of(const cli::BenchClusterFlags& flags, const Found& found, const AgentTally& tally,
                              const LatencyHistogram& ps) {
  const auto rate = [&](double after) {
    return boost::json::object{{"seconds", after}, {"tasksPerSecond", flags.tasks / after}};
  };
  return {{"nodes", flags.nodes},
          {"tasks", flags.tasks},
          {"tasksPerService", flags.replicas},
          {"joinedSeconds", found.joined_seconds},
          {"decided", rate(found.decided_seconds)},
          {"durable", rate(found.durable_seconds)},
          {"running", rate(found.running_seconds)},
          {"psMilliseconds", {{"p50", ps.ms(0.5)}, {"p99", ps.ms(0.99)}, {"worst", ps.ms(1)}}},
          {"heartbeatMilliseconds", {{"p99", tally.heartbeats.ms(0.99)}, {"worst", tally.heartbeats.ms(1)}}},
          {"sessions", tally.sessions.load()},
          {"serverPeakRssBytes", found.server.peak_rss_bytes},
          {"serverCpuSeconds", found.server.cpu_seconds},
          {"serverDiskBytes", found.disk_bytes},
          {"agentsCpuSeconds", found.agents.cpu_seconds}};
}

}  // namespace

int run_bench_cluster(cli::Context& context, const cli::BenchClusterFlags& flags) {
  auto server = BenchServer::start();
  if (!server) return context.fail(server.error());
  const auto tally = std::make_unique<AgentTally>();
  const auto ps = std::make_unique<LatencyHistogram>();
  SimulatedAgents agents({(*server)->grpc(), (*server)->connection().token, static_cast<std::size_t>(flags.nodes)},
                         *tally);
  Run run(context.io().get_executor(), flags, (*server)->connection(), *tally, *ps);
  auto found = context.run(
      base::with_timeout(context.clock(), std::chrono::seconds(flags.seconds), "the benchmark", run.play()));
  if (!found) {
    context.say(fmt::format("{} nodes joined, {} tasks came to them, {} were said to run{}", tally->joined.load(),
                            tally->assigned.load(), tally->reported.load(),
                            agents.last_error().empty() ? "" : "; a session was cut: " + agents.last_error()));
    return context.fail(found.error());
  }
  found->server = (*server)->use();
  found->agents = use_of(::getpid());
  found->disk_bytes = (*server)->disk_bytes();
  if (cli::wants_object(context))
    return cli::print_object(context, boost::json::serialize(object_of(flags, *found, *tally, *ps)));
  print_table(flags, *found, *tally, *ps);
  if (tally->sessions > static_cast<std::size_t>(flags.nodes)) context.say("sessions were cut: " + agents.last_error());
  return cli::kExitOk;
}

}  // namespace orchion::bench
