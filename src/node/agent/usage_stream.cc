// What tasks use, sampled for as long as somebody looks.

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "core/timestamps.h"
#include "node/agent/blocking.h"
#include "node/agent/streams.h"
#include "node/devices/usage.h"

namespace orchion::node::agent {

namespace {

// Between the first two samples of a task, so that even the first answer says how busy it is.
constexpr auto kFirstInterval = std::chrono::milliseconds(100);

// Whoever asks for more often gets this.
constexpr auto kIntervalMin = std::chrono::milliseconds(200);

struct Process {
  std::string task_uid;
  std::int64_t pid = 0;
};

std::vector<Process> running(const TaskTable& tasks, const v1::NodeUsage& want) {
  std::vector<Process> result;
  for (const auto& uid : want.task_uids()) {
    const auto* runner = tasks.find(uid);
    if (runner == nullptr || runner->status().state() != v1::RUNNING || runner->status().pid() <= 0) continue;
    result.push_back({uid, runner->status().pid()});
  }
  return result;
}

v1::TaskUsage to_message(const std::string& task_uid, const devices::Usage& usage, base::WallTime at) {
  v1::TaskUsage message;
  message.set_task_uid(task_uid);
  *message.mutable_at() = core::to_timestamp(at);
  message.set_cpu_nanoseconds(usage.cpu_nanoseconds);
  message.set_cpu_cores(usage.cpu_cores);
  message.set_memory_bytes(usage.memory_bytes);
  message.set_memory_limit_bytes(usage.memory_limit_bytes);
  message.set_network_received_bytes(usage.network_received_bytes);
  message.set_network_sent_bytes(usage.network_sent_bytes);
  message.set_disk_read_bytes(usage.disk_read_bytes);
  message.set_disk_written_bytes(usage.disk_written_bytes);
  message.set_processes(usage.processes);
  return message;
}

// The probes of one stream; used by one worker at a time.
class Sampler {
 public:
  explicit Sampler(base::Clock& clock) : clock_(clock) {}

  // A task without a rate yet was sampled for the first time: once more is wanted soon.
  struct Sample {
    v1::TaskUsages usages;
    bool has_new = false;
  };

  Sample sample(const std::vector<Process>& processes) {
    keep_only(processes);
    Sample result;
    for (const auto& process : processes) {
      auto* probe = find(process);
      if (probe == nullptr) continue;
      const auto usage = probe->sample(clock_.now());
      if (!usage) {
        probes_.erase(process.task_uid);
        continue;
      }
      if (!probe->has_rate()) result.has_new = true;
      *result.usages.add_tasks() = to_message(process.task_uid, *usage, clock_.wall());
    }
    return result;
  }

 private:
  struct Entry {
    std::int64_t pid;
    devices::UsageProbe probe;
  };

  // What has ended, or begun its next attempt, is begun anew.
  void keep_only(const std::vector<Process>& processes) {
    std::map<std::string, Entry> kept;
    for (const auto& process : processes) {
      auto entry = probes_.extract(process.task_uid);
      if (!entry.empty() && entry.mapped().pid == process.pid) kept.insert(std::move(entry));
    }
    probes_ = std::move(kept);
  }

  devices::UsageProbe* find(const Process& process) {
    const auto it = probes_.find(process.task_uid);
    if (it != probes_.end()) return &it->second.probe;
    auto probe = devices::UsageProbe::open(process.pid);
    if (!probe) return nullptr;
    return &probes_.emplace(process.task_uid, Entry{process.pid, std::move(*probe)}).first->second.probe;
  }

  base::Clock& clock_;
  std::map<std::string, Entry> probes_;  // by task uid
};

struct Sampling {
  Sampling(const TaskTable& table, base::Clock& ticker, base::WorkerPool* pool, v1::NodeUsage wanted)
      : tasks(table),
        clock(ticker),
        workers(pool),
        want(std::move(wanted)),
        sampler(std::make_shared<Sampler>(ticker)) {}
  const TaskTable& tasks;
  base::Clock& clock;
  base::WorkerPool* workers;
  const v1::NodeUsage want;
  const std::shared_ptr<Sampler> sampler;
};

base::Co<Sampler::Sample> sample_once(std::shared_ptr<Sampling> sampling) {
  auto processes = running(sampling->tasks, sampling->want);
  auto job = [sampler = sampling->sampler, processes = std::move(processes)]() -> base::Result<Sampler::Sample> {
    return sampler->sample(processes);
  };
  co_return co_await run_blocking(sampling->workers, std::move(job));
}

base::Co<> send_samples(std::shared_ptr<Sampling> sampling, std::shared_ptr<DataStream> stream) {
  auto due = sampling->clock.now();
  while (true) {
    CO_ASSIGN_OR_RETURN(auto sample, co_await sample_once(sampling));
    if (sample.has_new) {
      CO_RETURN_IF_ERROR(co_await sampling->clock.sleep(kFirstInterval));
      CO_ASSIGN_OR_RETURN(sample, co_await sample_once(sampling));
    }
    v1::StreamFromAgent message;
    *message.mutable_usage() = std::move(sample.usages);
    CO_RETURN_IF_ERROR(co_await stream->send(std::move(message)));
    if (sampling->want.interval_ms() == 0) co_return base::Result<>{};
    const auto interval =
        std::max<base::Duration>(std::chrono::milliseconds(sampling->want.interval_ms()), kIntervalMin);
    // A slow reader misses samples; it isn't sent them all at once afterwards.
    due = std::max(due + interval, sampling->clock.now());
    CO_RETURN_IF_ERROR(co_await sampling->clock.sleep_until(due));
  }
}

base::Co<> wait_until_gone(std::shared_ptr<DataStream> stream) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message || !*message) co_return base::Result<>{};
  }
}

}  // namespace

base::Co<> StreamServer::usage(v1::NodeUsage want, std::shared_ptr<DataStream> stream) {
  auto sampling = std::make_shared<Sampling>(parts_.tasks, parts_.clock, parts_.workers, std::move(want));
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (send_samples(sampling, stream) || wait_until_gone(stream));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
