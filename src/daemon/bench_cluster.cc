#include "daemon/bench_cluster.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/file.h"
#include "base/random.h"
#include "base/timeout.h"
#include "cli/output.h"
#include "client/api_client.h"
#include "daemon/background.h"
#include "daemon/folders.h"
#include "daemon/simulated_agents.h"
#include "v1/control.pb.h"

namespace orchion::daemon {

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

// What one process has had of the machine.
struct ProcessUse {
  double cpu_seconds = 0;
  std::int64_t peak_rss_bytes = 0;
};

ProcessUse use_of(pid_t pid) {
  ProcessUse use;
  const auto folder = fmt::format("/proc/{}/", pid);
  const auto status = base::read_file(folder + "status").value_or("");
  if (const auto at = status.find("VmHWM:"); at != std::string::npos)
    use.peak_rss_bytes = std::strtoll(status.c_str() + at + 6, nullptr, 10) * 1024;
  const auto stat = base::read_file(folder + "stat").value_or("");
  // After the name in brackets: utime and stime are the 12th and 13th.
  if (const auto at = stat.rfind(')'); at != std::string::npos) {
    unsigned long long user = 0, system = 0;
    if (std::sscanf(stat.c_str() + at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) == 2)
      use.cpu_seconds = static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  return use;
}

// On loopback, free at this moment.
base::Result<std::string> free_address() {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), any, length) != 0 || ::getsockname(socket.get(), any, &length) != 0)
    return base::fail_errno(errno, "cannot find a free port");
  return fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
}

// A server of its own: started, and gone with its folder at the end.
class BenchServer {
 public:
  static base::Result<std::unique_ptr<BenchServer>> start(const std::string& parent) {
    std::string folder = (std::filesystem::path(parent) / "orchion-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return base::fail_errno(errno, "cannot make a folder in " + parent);
    std::unique_ptr<BenchServer> server(new BenchServer(folder));
    ASSIGN_OR_RETURN(const auto http, free_address());
    ASSIGN_OR_RETURN(server->grpc_, free_address());
    RETURN_IF_ERROR(start_in_background(folder, {"server", "--data", folder, "--no-agent", "--http", http, "--grpc",
                                                 server->grpc_, "--log-level", "warn"}));
    ASSIGN_OR_RETURN(const auto pid, base::read_file(Folders{folder}.lock()));
    server->pid_ = std::atoi(pid.c_str());
    client::ConnectionSettings settings;
    settings.server = "unix:" + Folders{folder}.socket().string();
    ASSIGN_OR_RETURN(server->connection_, client::find_connection(settings));
    return server;
  }

  ~BenchServer() {
    if (pid_ > 0)
      if (const auto stopped = stop_server(folder_); !stopped) fmt::print(stderr, "{}\n", stopped.error().message);
    if (const auto gone = base::remove_tree(folder_); !gone) fmt::print(stderr, "{}\n", gone.error().message);
  }
  BenchServer(const BenchServer&) = delete;
  BenchServer& operator=(const BenchServer&) = delete;

  const std::string& grpc() const { return grpc_; }
  const client::Connection& connection() const { return connection_; }
  ProcessUse use() const { return use_of(pid_); }
  std::int64_t disk_bytes() const {
    std::int64_t bytes = 0;
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(folder_, error))
      if (file.is_regular_file()) bytes += static_cast<std::int64_t>(file.file_size(error));
    return bytes;
  }

 private:
  explicit BenchServer(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
  std::string grpc_;
  client::Connection connection_;
  pid_t pid_ = 0;
};

struct Found {
  double joined_seconds = 0;
  double decided_seconds = 0;  // these from the first stack that is asked for
  double durable_seconds = 0;
  double running_seconds = 0;
  std::vector<double> ps_ms;  // sorted
  ProcessUse server, agents;
  std::int64_t disk_bytes = 0;

  double ps(double share) const {
    return ps_ms.empty() ? 0 : ps_ms[static_cast<std::size_t>(share * static_cast<double>(ps_ms.size() - 1))];
  }
};

// What a user does, and watches.
class Run {
 public:
  Run(base::Executor executor, const cli::BenchClusterFlags& flags, const client::Connection& connection,
      AgentTally& tally)
      : flags_(flags),
        connection_(connection),
        tally_(tally),
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
    std::sort(found_.ps_ms.begin(), found_.ps_ms.end());
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
      CO_RETURN_IF_ERROR(
          co_await api.call_json("orchion.v1.TaskService.ListTasks", std::make_shared<const v1::ListTasksRequest>(request)));
      found_.ps_ms.push_back(seconds(clock_.now() - begin) * 1000);
    }
  }

  const cli::BenchClusterFlags& flags_;
  const client::Connection& connection_;
  AgentTally& tally_;
  base::Executor executor_;
  base::SystemClock clock_;
  const std::size_t stacks_;
  base::Time begun_;
  base::WallTime begun_wall_;
  Found found_;
};

void print_table(const cli::BenchClusterFlags& flags, const Found& found, const AgentTally& tally) {
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
                           found.ps(0.5), found.ps(0.99), found.ps(1), found.ps_ms.size())
            << fmt::format("heartbeats answered within {:.0f} ms; {} sessions of {} nodes\n",
                           static_cast<double>(tally.heartbeat_worst) / 1e6, tally.sessions.load(), flags.nodes)
            << fmt::format("server: {:.0f} MiB at its peak, {:.1f} CPU s, {:.0f} MiB on the disk; agents: {:.1f} CPU s\n",
                           static_cast<double>(found.server.peak_rss_bytes) / (1 << 20), found.server.cpu_seconds,
                           static_cast<double>(found.disk_bytes) / (1 << 20), found.agents.cpu_seconds);
}

boost::json::object object_of(const cli::BenchClusterFlags& flags, const Found& found, const AgentTally& tally) {
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
          {"psMilliseconds", {{"p50", found.ps(0.5)}, {"p99", found.ps(0.99)}, {"worst", found.ps(1)}}},
          {"heartbeatWorstMilliseconds", static_cast<double>(tally.heartbeat_worst) / 1e6},
          {"sessions", tally.sessions.load()},
          {"serverPeakRssBytes", found.server.peak_rss_bytes},
          {"serverCpuSeconds", found.server.cpu_seconds},
          {"serverDiskBytes", found.disk_bytes},
          {"agentsCpuSeconds", found.agents.cpu_seconds}};
}

}  // namespace

int run_bench_cluster(cli::Context& context, const cli::BenchClusterFlags& flags) {
  const char* temporary = std::getenv("TMPDIR");
  auto server = BenchServer::start(temporary == nullptr ? "/tmp" : temporary);
  if (!server) return context.fail(server.error());
  AgentTally tally;
  SimulatedAgents agents(
      {(*server)->grpc(), (*server)->connection().token, static_cast<std::size_t>(flags.nodes)}, tally);
  Run run(context.io().get_executor(), flags, (*server)->connection(), tally);
  auto found = context.run(base::with_timeout(context.clock(), std::chrono::seconds(flags.seconds), "the benchmark", run.play()));
  if (!found) {
    context.say(fmt::format("{} nodes joined, {} tasks came to them, {} were said to run{}", tally.joined.load(),
                            tally.assigned.load(), tally.reported.load(),
                            agents.last_error().empty() ? "" : "; a session was cut: " + agents.last_error()));
    return context.fail(found.error());
  }
  found->server = (*server)->use();
  found->agents = use_of(::getpid());
  found->disk_bytes = (*server)->disk_bytes();
  if (cli::wants_object(context))
    return cli::print_object(context, boost::json::serialize(object_of(flags, *found, tally)));
  print_table(flags, *found, tally);
  if (tally.sessions > static_cast<std::size_t>(flags.nodes)) context.say("sessions were cut: " + agents.last_error());
  return cli::kExitOk;
}

}  // namespace orchion::daemon
