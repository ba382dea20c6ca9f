#include "bench/simulated_agents.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "base/task_group.h"
#include "core/timestamps.h"
#include "daemon/loop_thread.h"
#include "v1/dispatcher.pb.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::bench {

namespace {

constexpr char kSession[] = "/orchion.v1.DispatcherService/Session";
constexpr auto kRetry = std::chrono::seconds(1);

// Each shares a connection with some hundreds, well within what a process may open.
constexpr std::size_t kConnectionsMax = 16;

// Room for what is asked of them, whatever that is.
constexpr std::int64_t kNanoCpus = 256'000'000'000;
constexpr std::int64_t kMemoryBytes = std::int64_t{1} << 40;

std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

v1::NodeCapabilities capabilities() {
  v1::NodeCapabilities all;
  all.set_nano_cpus(kNanoCpus);
  all.set_memory_bytes(kMemoryBytes);
  all.set_memory_available_bytes(kMemoryBytes);
  all.set_operating_system("simulated");
  all.set_architecture("amd64");
  all.add_runtimes()->set_name("simulated");
  return all;
}

// One node. Belongs to the loop of all.
class SimulatedAgent {
 public:
  SimulatedAgent(base::Executor executor, std::size_t number, AgentTally& tally)
      : number_(number), tally_(tally), changed_(std::move(executor)) {}

  // Until the session ends.
  base::Co<> run(wire::grpc::GrpcClient* client, std::multimap<std::string, std::string> metadata) {
    std::shared_ptr<wire::grpc::ByteStream> stream = client->call(kSession, std::move(metadata));
    v1::FromAgent hello;
    hello.mutable_hello()->set_node_uid(uid_);
    hello.mutable_hello()->set_hostname(fmt::format("simulated-{}", number_));
    hello.mutable_hello()->set_protocol(1);
    *hello.mutable_hello()->mutable_capabilities() = capabilities();
    hello.mutable_hello()->set_address(
        fmt::format("10.{}.{}.{}", number_ / 62'500 + 100, number_ / 250 % 250, number_ % 250 + 1));
    CO_RETURN_IF_ERROR(co_await stream->send(hello.SerializeAsString()));
    using boost::asio::experimental::awaitable_operators::operator||;
    auto ended = co_await (receive_loop(stream) || send_loop(stream) || heartbeat_loop());
    co_return std::visit([](const auto& result) -> base::Result<> { return result; }, ended);
  }

 private:
  // The steps a task takes, each reported before the next.
  static constexpr v1::TaskState kSteps[] = {v1::PREPARING, v1::STARTING, v1::RUNNING};

  base::Co<> receive_loop(std::shared_ptr<wire::grpc::ByteStream> stream) {
    while (true) {
      CO_ASSIGN_OR_RETURN(const auto bytes, co_await stream->receive());
      if (!bytes) co_return base::Result<>{};
      v1::ToAgent message;
      if (!message.ParseFromString(*bytes))
        co_return base::fail(base::Code::kDataLoss, "the server sent what is no message");
      CO_RETURN_IF_ERROR(take(message));
    }
  }

  base::Result<> take(const v1::ToAgent& message) {
    if (message.has_welcome()) {
      uid_ = message.welcome().node_uid();
      heartbeat_ = std::chrono::seconds(message.welcome().heartbeat_seconds());
      ++tally_.sessions;
      changed_.notify();
    }
    if (message.has_heartbeat() && tally_.counts_heartbeats)
      tally_.heartbeats.add(base::Duration(steady_ns() - asked_at_));
    if (message.has_assignments()) return take(message.assignments());
    return {};
  }

  base::Result<> take(const v1::Assignments& assignments) {
    const bool in_order = assignments.full() ? assignments.sequence() == 1 : assignments.sequence() == sequence_ + 1;
    if (!in_order)
      return base::fail(base::Code::kInternal,
                        fmt::format("message {} came after {}", assignments.sequence(), sequence_));
    sequence_ = assignments.sequence();
    // The server may have missed what was said in the session before.
    if (assignments.full())
      for (const auto& [uid, reported] : tasks_) waiting_.insert(uid);
    if (assignments.full() && !joined_) {
      joined_ = true;
      ++tally_.joined;
    }
    for (const auto& assignment : assignments.tasks()) {
      const auto& task = assignment.task();
      if (!tasks_.try_emplace(task.meta().uid(), false).second) continue;
      waiting_.insert(task.meta().uid());
      tally_.raise(tally_.decided_at, core::from_timestamp(task.meta().created_at()).time_since_epoch().count());
      tally_.raise(tally_.assigned_at, steady_ns());
      ++tally_.assigned;
    }
    if (!waiting_.empty()) changed_.notify();
    return {};
  }

  base::Co<> send_loop(std::shared_ptr<wire::grpc::ByteStream> stream) {
    while (true) {
      while (waiting_.empty() && !heartbeat_is_due_) CO_RETURN_IF_ERROR(co_await changed_.wait());
      const auto batch = std::exchange(waiting_, {});
      for (const auto step : kSteps) {
        for (const auto& uid : batch) {
          CO_RETURN_IF_ERROR(co_await send_heartbeat(stream));
          CO_RETURN_IF_ERROR(co_await stream->send(report(uid, step)));
        }
      }
      CO_RETURN_IF_ERROR(co_await send_heartbeat(stream));
      for (const auto& uid : batch)
        if (!std::exchange(tasks_[uid], true)) ++tally_.reported;
    }
  }

  base::Co<> send_heartbeat(std::shared_ptr<wire::grpc::ByteStream> stream) {
    if (!std::exchange(heartbeat_is_due_, false)) co_return base::Result<>{};
    v1::FromAgent message;
    message.mutable_heartbeat();
    asked_at_ = steady_ns();
    co_return co_await stream->send(message.SerializeAsString());
  }

  // Agents say that they live once they are welcome.
  base::Co<> heartbeat_loop() {
    while (uid_.empty()) CO_RETURN_IF_ERROR(co_await changed_.wait());
    // Not all at once.
    CO_RETURN_IF_ERROR(co_await clock_.sleep(std::chrono::milliseconds(number_ * 7919 % 5000)));
    while (true) {
      heartbeat_is_due_ = true;
      changed_.notify();
      CO_RETURN_IF_ERROR(co_await clock_.sleep(heartbeat_));
    }
  }

  std::string report(const std::string& uid, v1::TaskState step) {
    const auto now = core::to_timestamp(clock_.wall());
    v1::FromAgent message;
    message.mutable_report()->set_task_uid(uid);
    auto& status = *message.mutable_report()->mutable_status();
    status.set_state(step);
    status.set_attempt(1);
    *status.mutable_since() = now;
    status.set_executor("simulated");
    // An agent tells with each report all that it has seen.
    for (const auto passed : kSteps) {
      if (passed > step) break;
      auto& change = *status.add_changes();
      *change.mutable_time() = now;
      change.set_state(passed);
      change.set_attempt(1);
      change.set_reason(passed == v1::PREPARING ? "Preparing" : passed == v1::STARTING ? "Starting" : "Started");
    }
    if (step == v1::RUNNING) {
      *status.mutable_started_at() = now;
      status.set_pid(1000);
      status.set_container_id(uid);
    }
    return message.SerializeAsString();
  }

  const std::size_t number_;
  AgentTally& tally_;
  base::SystemClock clock_;
  base::Notifier changed_;
  base::Duration heartbeat_ = std::chrono::seconds(5);
  std::string uid_;
  bool joined_ = false;
  std::uint64_t sequence_ = 0;
  std::map<std::string, bool> tasks_;  // by uid: whether it was said to run
  std::set<std::string> waiting_;      // uids: to be reported
  bool heartbeat_is_due_ = false;
  std::int64_t asked_at_ = 0;
};

}  // namespace

void AgentTally::raise(std::atomic<std::int64_t>& newest, std::int64_t value) {
  auto seen = newest.load();
  while (seen < value && !newest.compare_exchange_weak(seen, value)) {
  }
}

struct SimulatedAgents::State {
  State(const SimulatedAgentsOptions& the_options, AgentTally& tally)
      : metadata{{"authorization", "Bearer " + the_options.token}}, group(loop.executor()) {
    const auto connections = std::min(kConnectionsMax, the_options.count);
    for (std::size_t i = 0; i < connections; ++i)
      clients.push_back(std::make_unique<wire::grpc::GrpcClient>(loop.executor(), the_options.server));
    for (std::size_t i = 0; i < the_options.count; ++i)
      agents.push_back(std::make_unique<SimulatedAgent>(loop.executor(), i, tally));
  }

  base::Co<> start() {
    for (std::size_t i = 0; i < agents.size(); ++i)
      group.spawn("a simulated agent", serve(agents[i].get(), clients[i % clients.size()].get()));
    co_return base::Result<>{};
  }

  base::Co<> serve(SimulatedAgent* agent, wire::grpc::GrpcClient* client) {
    while (true) {
      const auto ended = co_await agent->run(client, metadata);
      if (!ended && ended.error().code == base::Code::kCancelled) co_return ended;
      {
        const std::lock_guard lock(mutex);
        last_error = ended ? "the server ended the session" : ended.error().message;
      }
      CO_RETURN_IF_ERROR(co_await clock.sleep(kRetry));
    }
  }

  const std::multimap<std::string, std::string> metadata;
  base::SystemClock clock;
  std::mutex mutex;
  std::string last_error;
  daemon::LoopThread loop;
  base::TaskGroup group;
  std::vector<std::unique_ptr<wire::grpc::GrpcClient>> clients;
  std::vector<std::unique_ptr<SimulatedAgent>> agents;
};

SimulatedAgents::SimulatedAgents(const SimulatedAgentsOptions& options, AgentTally& tally)
    : state_(std::make_unique<State>(options, tally)) {
  [[maybe_unused]] const auto started = state_->loop.run(state_->start());
}

SimulatedAgents::~SimulatedAgents() {
  [[maybe_unused]] const auto ended = state_->loop.run(state_->group.shutdown());
  state_->clients.clear();
}

std::string SimulatedAgents::last_error() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_error;
}

}  // namespace orchion::bench
