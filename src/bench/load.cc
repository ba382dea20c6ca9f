#include "bench/load.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <vector>

#include <fmt/core.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/random.h"
#include "base/task_group.h"
#include "base/timeout.h"
#include "bench/latency_histogram.h"
#include "bench/server.h"
#include "bench/simulated_agents.h"
#include "cli/output.h"
#include "client/api_client.h"
#include "daemon/loop_thread.h"
#include "v1/control.pb.h"
#include "v1/watch.pb.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::bench {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLook = milliseconds(50);
constexpr auto kJoinLimit = seconds(120);
constexpr auto kLastWords = seconds(20);

// A caller changes something with one of so many of its requests, and reads with the others.
constexpr std::uint64_t kReadsPerWrite = 4;

constexpr std::size_t kWatchConnections = 8;

// What is written carries the time at which that began.
constexpr char kMark[] = "bench-sent-";

std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

// One service that runs nothing: what is measured is the writing.
v1::ApplyStackRequest stack(const std::string& name, std::int64_t sent) {
  v1::ApplyStackRequest request;
  request.set_name(name);
  auto& service = *request.mutable_spec()->add_services();
  service.set_name("web");
  service.mutable_spec()->set_replicas(0);
  service.mutable_spec()->mutable_container()->set_image("bench:1");
  service.mutable_spec()->mutable_container()->set_network_mode(v1::HOST_NETWORK);
  (*service.mutable_spec()->mutable_labels())["mark"] = kMark + std::to_string(sent) + ";";
  return request;
}

// When that which an event tells of was begun; 0 where it says nothing of that.
std::int64_t mark_in(const std::string& bytes) {
  const auto at = bytes.find(kMark);
  if (at == std::string::npos) return 0;
  std::int64_t sent = 0;
  const char* begin = bytes.data() + at + sizeof kMark - 1;
  std::from_chars(begin, bytes.data() + bytes.size(), sent);
  return sent;
}

struct Tally {
  AgentTally agents;
  LatencyHistogram watches, http_watches, grpc_watches, reads, writes;
  std::atomic<std::size_t> watching = 0;
  std::atomic<std::size_t> events = 0;  // that came to watchers
  std::atomic<std::size_t> watches_ended = 0;
  std::atomic<std::size_t> requests_failed = 0;
  std::atomic<bool> slow_watcher_was_resynced = false;
  std::string last_refusal;  // of a request; to be read when nobody asks any more
};

// Those who watch, or those who call: each on a thread of its own, so that what one has to do isn't taken for the
// server's time by the other.
class Users {
 public:
  Users(base::Executor executor, const cli::BenchLoadFlags& flags, const BenchServer& server, Tally& tally)
      : executor_(executor), flags_(flags), server_(server), tally_(tally), group_(executor) {
    for (std::size_t i = 0; i < kWatchConnections; ++i)
      channels_.push_back(std::make_unique<wire::grpc::GrpcClient>(executor, server.grpc()));
  }

  base::Co<> start_watching() {
    // Every second one by HTTP, as the command line and browsers do it.
    for (int i = 0; i < flags_.watchers; ++i)
      group_.spawn("a watcher", i % 2 == 0 ? watch_by_http() : watch_by_grpc(i / 2));
    group_.spawn("a slow watcher", watch_slowly());
    co_return base::Result<>{};
  }

  // Each caller's stack is there before the load begins, so that all of it is as steady as it will be.
  base::Co<> prepare_calling() {
    client::ApiClient api(executor_, server_.connection());
    for (int i = 0; i < flags_.callers; ++i) {
      CO_RETURN_IF_ERROR(
          co_await api.call_json("orchion.v1.StackService.ApplyStack",
                                 std::make_shared<const v1::ApplyStackRequest>(stack(name_of_caller(i), 0))));
    }
    co_return base::Result<>{};
  }

  base::Co<> start_calling() {
    group_.spawn("the writer", write_steadily());
    for (int i = 0; i < flags_.callers; ++i) group_.spawn("a caller", call_steadily(i));
    co_return base::Result<>{};
  }

  base::Co<> stop_calling() {
    stopped_ = true;
    co_return base::Result<>{};
  }

  // The slow watcher reads at last.
  base::Co<> wake_slow_watcher() {
    awake_ = true;
    co_return base::Result<>{};
  }

  base::Co<> shutdown() { return group_.shutdown(); }
  void close() { channels_.clear(); }

 private:
  std::multimap<std::string, std::string> metadata() const {
    return {{"authorization", "Bearer " + server_.connection().token}};
  }

  base::Co<std::shared_ptr<wire::grpc::ByteStream>> open_watch(std::size_t connection) {
    std::shared_ptr<wire::grpc::ByteStream> stream =
        channels_[connection % channels_.size()]->call("/orchion.v1.WatchService/Watch", metadata());
    CO_RETURN_IF_ERROR(co_await stream->send(stacks().SerializeAsString()));
    stream->finish();
    co_return stream;
  }

  static v1::WatchRequest stacks() {
    v1::WatchRequest request;
    request.add_kinds("Stack");
    return request;
  }

  static base::Co<std::unique_ptr<client::EventReader>> open_events(client::ApiClient* api) {
    return api->open_events("orchion.v1.WatchService.Watch", std::make_shared<const v1::WatchRequest>(stacks()), "");
  }

  // Of each change only the first word counts: controllers say more of it later.
  void see(const std::string& event, std::int64_t& newest, LatencyHistogram& of_this_way) {
    ++tally_.events;
    const auto sent = mark_in(event);
    if (sent <= newest) return;
    newest = sent;
    const base::Duration took(steady_ns() - sent);
    tally_.watches.add(took);
    of_this_way.add(took);
  }

  base::Co<> watch_by_grpc(int number) {
    CO_ASSIGN_OR_RETURN(const auto stream, co_await open_watch(static_cast<std::size_t>(number)));
    ++tally_.watching;
    std::int64_t newest = 0;
    while (true) {
      const auto bytes = co_await stream->receive();
      if (!bytes || !*bytes) co_return watch_ended(bytes ? base::Result<>{} : std::unexpected(bytes.error()));
      see(**bytes, newest, tally_.grpc_watches);
    }
  }

  base::Co<> watch_by_http() {
    client::ApiClient api(executor_, server_.connection());
    CO_ASSIGN_OR_RETURN(const auto events, co_await open_events(&api));
    ++tally_.watching;
    std::int64_t newest = 0;
    while (true) {
      const auto event = co_await events->next();
      if (!event || !*event) co_return watch_ended(event ? base::Result<>{} : std::unexpected(event.error()));
      see((*event)->data, newest, tally_.http_watches);
    }
  }

  // Only the end of the benchmark may end one.
  base::Result<> watch_ended(base::Result<> end) {
    if (!end && end.error().code == base::Code::kCancelled) return end;
    ++tally_.watches_ended;
    return {};
  }

  // By HTTP over a socket, whose buffers are small.
  base::Co<> watch_slowly() {
    client::ApiClient api(executor_, server_.connection());
    CO_ASSIGN_OR_RETURN(const auto events, co_await open_events(&api));
    while (!awake_) CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
    v1::WatchEvent last;
    while (true) {
      CO_ASSIGN_OR_RETURN(const auto event, co_await events->next());
      if (!event) break;
      CO_RETURN_IF_ERROR(client::parse_json(event->data, last));
    }
    tally_.slow_watcher_was_resynced = last.type() == v1::WatchEvent::LIST_AGAIN;
    co_return base::Result<>{};
  }

  static std::string name_of_caller(int number) { return fmt::format("called-{}", number); }

  // At its pace, however long each takes; no stack is changed twice within a second.
  base::Co<> write_steadily() {
    const auto every = base::Duration(seconds(1)) / flags_.writes;
    auto due = clock_.now();
    for (std::uint64_t n = 0; !stopped_; ++n) {
      CO_RETURN_IF_ERROR(co_await clock_.sleep_until(due += every));
      group_.spawn("a write", write_once(fmt::format("written-{}", n % static_cast<std::uint64_t>(flags_.writes))));
    }
    co_return base::Result<>{};
  }

  base::Co<> write_once(std::string name) {
    client::ApiClient api(executor_, server_.connection());
    co_return co_await request(&api, "orchion.v1.StackService.ApplyStack",
                               std::make_shared<const v1::ApplyStackRequest>(stack(name, steady_ns())), &tally_.writes);
  }

  base::Co<> call_steadily(int number) {
    client::ApiClient api(executor_, server_.connection());
    base::Random random(static_cast<std::uint64_t>(number) + 1);
    const auto pause = base::Duration(seconds(1)) * flags_.callers / flags_.requests;
    auto due = clock_.now() + base::Duration(random.below(static_cast<std::uint64_t>(pause.count()) + 1));
    const auto name = name_of_caller(number);
    for (auto n = static_cast<std::uint64_t>(number); !stopped_; ++n) {
      CO_RETURN_IF_ERROR(co_await clock_.sleep_until(due));
      due += pause;
      if (n % (kReadsPerWrite + 1) == 0) {
        CO_RETURN_IF_ERROR(co_await request(&api, "orchion.v1.StackService.ApplyStack",
                                            std::make_shared<const v1::ApplyStackRequest>(stack(name, steady_ns())),
                                            &tally_.writes));
      } else {
        v1::GetStackRequest get;
        get.set_name(name);
        CO_RETURN_IF_ERROR(co_await request(&api, "orchion.v1.StackService.GetStack",
                                            std::make_shared<const v1::GetStackRequest>(get), &tally_.reads));
      }
    }
    co_return base::Result<>{};
  }

  // What is refused is counted; only the end of the benchmark ends who asks.
  base::Co<> request(client::ApiClient* api, std::string method,
                     std::shared_ptr<const google::protobuf::Message> message, LatencyHistogram* took) {
    const auto begin = clock_.now();
    const auto answer = co_await api->call_json(std::move(method), std::move(message));
    if (!answer && answer.error().code == base::Code::kCancelled) co_return std::unexpected(answer.error());
    if (!answer) {
      ++tally_.requests_failed;
      tally_.last_refusal = answer.error().message;
    }
    took->add(clock_.now() - begin);
    co_return base::Result<>{};
  }

  base::Executor executor_;
  const cli::BenchLoadFlags& flags_;
  const BenchServer& server_;
  Tally& tally_;
  base::SystemClock clock_;
  base::TaskGroup group_;
  std::vector<std::unique_ptr<wire::grpc::GrpcClient>> channels_;
  bool stopped_ = false;
  bool awake_ = false;
};

struct Crowd {
  Crowd(const cli::BenchLoadFlags& flags, const BenchServer& server, Tally& tally)
      : users(loop.executor(), flags, server, tally) {}

  base::Result<> end() {
    auto ended = loop.run(users.shutdown());
    users.close();
    return ended;
  }

  daemon::LoopThread loop;
  Users users;
};

base::Co<> play(base::Clock* clock, const cli::BenchLoadFlags* flags, Crowd* watchers, Crowd* callers, Tally* tally) {
  // What a thousand nodes are told when all of them come at once is no steady load.
  tally->agents.counts_heartbeats = false;
  const auto limit = clock->now() + kJoinLimit;
  while (tally->agents.joined < static_cast<std::size_t>(flags->nodes)) {
    if (clock->now() > limit) co_return base::fail(base::Code::kDeadlineExceeded, "the nodes don't all join");
    CO_RETURN_IF_ERROR(co_await clock->sleep(kLook));
  }
  CO_RETURN_IF_ERROR(watchers->loop.run(watchers->users.start_watching()));
  while (tally->watching < static_cast<std::size_t>(flags->watchers)) CO_RETURN_IF_ERROR(co_await clock->sleep(kLook));
  CO_RETURN_IF_ERROR(callers->loop.run(callers->users.prepare_calling()));
  tally->agents.counts_heartbeats = true;
  CO_RETURN_IF_ERROR(callers->loop.run(callers->users.start_calling()));
  CO_RETURN_IF_ERROR(co_await clock->sleep(seconds(flags->seconds)));
  CO_RETURN_IF_ERROR(callers->loop.run(callers->users.stop_calling()));
  tally->agents.counts_heartbeats = false;
  CO_RETURN_IF_ERROR(watchers->loop.run(watchers->users.wake_slow_watcher()));
  const auto end = clock->now() + kLastWords;
  while (!tally->slow_watcher_was_resynced && clock->now() < end) CO_RETURN_IF_ERROR(co_await clock->sleep(kLook));
  co_return base::Result<>{};
}

boost::json::object object_of(const LatencyHistogram& took) {
  return {{"count", took.count()}, {"p50", took.ms(0.5)}, {"p99", took.ms(0.99)}, {"worst", took.ms(1)}};
}

std::vector<std::string> row_of(const char* what, const LatencyHistogram& took) {
  return {what, std::to_string(took.count()), fmt::format("{:.1f} ms", took.ms(0.5)),
          fmt::format("{:.1f} ms", took.ms(0.99)), fmt::format("{:.1f} ms", took.ms(1))};
}

}  // namespace

int run_bench_load(cli::Context& context, const cli::BenchLoadFlags& flags) {
  auto server = BenchServer::start();
  if (!server) return context.fail(server.error());
  const auto tally = std::make_unique<Tally>();
  SimulatedAgents agents({(*server)->grpc(), (*server)->connection().token, static_cast<std::size_t>(flags.nodes)},
                         tally->agents);
  Crowd watchers(flags, **server, *tally);
  Crowd callers(flags, **server, *tally);
  const auto played = context.run(play(&context.clock(), &flags, &watchers, &callers, tally.get()));
  const auto use = (*server)->use();
  auto ended = callers.end();
  if (const auto last = watchers.end(); ended) ended = last;
  if (!played) return context.fail(played.error());
  if (!ended) return context.fail(ended.error());
  const auto& beats = tally->agents.heartbeats;
  if (cli::wants_object(context))
    return cli::print_object(context, boost::json::serialize(boost::json::object{
                                          {"nodes", flags.nodes},
                                          {"watchers", flags.watchers},
                                          {"callers", flags.callers},
                                          {"seconds", flags.seconds},
                                          {"heartbeatMilliseconds", object_of(beats)},
                                          {"watchMilliseconds", object_of(tally->watches)},
                                          {"httpWatchMilliseconds", object_of(tally->http_watches)},
                                          {"grpcWatchMilliseconds", object_of(tally->grpc_watches)},
                                          {"eventsSeen", tally->events.load()},
                                          {"readMilliseconds", object_of(tally->reads)},
                                          {"writeMilliseconds", object_of(tally->writes)},
                                          {"requestsFailed", tally->requests_failed.load()},
                                          {"watchesEnded", tally->watches_ended.load()},
                                          {"slowWatcherResynced", tally->slow_watcher_was_resynced.load()},
                                          {"sessions", tally->agents.sessions.load()},
                                          {"serverPeakRssBytes", use.peak_rss_bytes},
                                          {"serverCpuSeconds", use.cpu_seconds}}));
  if (!tally->last_refusal.empty()) context.say("the last request that failed: " + tally->last_refusal);
  std::cout << cli::format_table({{"", "COUNT", "MEDIAN", "P99", "WORST"},
                                  row_of("heartbeat answered", beats),
                                  row_of("change seen by a watcher", tally->watches),
                                  row_of("  by HTTP", tally->http_watches),
                                  row_of("  by gRPC", tally->grpc_watches),
                                  row_of("read answered", tally->reads),
                                  row_of("durable write answered", tally->writes)})
            << fmt::format(
                   "{} events came to watchers, {} requests failed, {} watches ended; the slow watcher was {}told to "
                   "list again\n",
                   tally->events.load(), tally->requests_failed.load(), tally->watches_ended.load(),
                   tally->slow_watcher_was_resynced ? "" : "not ")
            << fmt::format("server: {:.0f} MiB at its peak, {:.1f} CPU s in {} s\n",
                           static_cast<double>(use.peak_rss_bytes) / (1 << 20), use.cpu_seconds, flags.seconds);
  return cli::kExitOk;
}

}  // namespace orchion::bench
