// What tasks said, as lines on a stream.

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "core/log_batch.h"
#include "core/log_source.h"
#include "core/task_state.h"
#include "core/timestamps.h"
#include "node/agent/streams.h"
#include "node/logs/log_reader.h"

namespace orchion::node::agent {

namespace {

constexpr std::size_t kBatchesAhead = 4;

// How often a follower looks whether there is output yet, and whether there can be more.
constexpr auto kLookInterval = std::chrono::milliseconds(500);

using Batches = base::Channel<v1::StreamFromAgent>;

struct Source {
  v1::LogSource names;
  std::filesystem::path folder;
  std::unique_ptr<logs::LogReader> reader;
  logs::Lines ahead;
  std::size_t taken = 0;  // of these
  bool ended = false;

  bool has_line() const { return taken < ahead.size(); }
};
using Sources = std::vector<std::shared_ptr<Source>>;

logs::LogOptions to_options(const v1::LogsRequest& request) {
  logs::LogOptions options;
  if (request.has_since()) options.lines.since = core::from_timestamp(request.since());
  if (request.has_until()) options.lines.until = core::from_timestamp(request.until());
  if (request.has_tail()) options.tail = request.tail();
  options.follow = request.follow();
  options.lines.grep = request.grep();
  options.lines.fixed = request.fixed();
  options.lines.level = request.level();
  for (const auto& field : request.fields()) {
    const auto sign = std::min(field.find('='), field.size());
    options.lines.fields[field.substr(0, sign)] = field.substr(std::min(sign + 1, field.size()));
  }
  return options;
}

core::BatchLine to_batch_line(const Source& source, const logs::LineView& line) {
  return {&source.names, line.text, line.time.time_since_epoch().count(), line.stream == logs::OutputStream::kError};
}

v1::StreamFromAgent take_message(core::LogBatchWriter& batch) {
  v1::StreamFromAgent message;
  *message.mutable_logs() = batch.take();
  return message;
}

// A task that never began has no output; that is no error.
base::Result<bool> open_reader(Source& source, base::Executor executor, base::Clock& clock, logs::LogOptions options) {
  auto reader = logs::LogReader::open(std::move(executor), clock, source.folder, std::move(options));
  if (!reader && reader.error().code == base::Code::kNotFound) return false;
  if (!reader) return std::unexpected(reader.error());
  source.reader = std::move(*reader);
  return true;
}

base::Co<> refill(std::shared_ptr<Source> source) {
  CO_ASSIGN_OR_RETURN(source->ahead, co_await source->reader->written_batch());
  source->taken = 0;
  source->ended = source->ahead.empty();
  co_return base::Result<>{};
}

// What is written by now, in the order of time. A follower's readers go on from there.
base::Co<> read_merged(Sources sources, std::shared_ptr<Batches> batches, base::Clock& clock,
                       logs::LogOptions options) {
  for (auto& source : sources) {
    CO_ASSIGN_OR_RETURN(const bool opened, open_reader(*source, batches->executor(), clock, options));
    source->ended = !opened;
  }
  core::LogBatchWriter batch;
  while (true) {
    Source* first = nullptr;
    for (auto& source : sources) {
      if (!source->has_line() && !source->ended) CO_RETURN_IF_ERROR(co_await refill(source));
      if (!source->has_line()) continue;
      if (first == nullptr || source->ahead[source->taken].time < first->ahead[first->taken].time) first = source.get();
    }
    if (first == nullptr) break;
    batch.add(to_batch_line(*first, first->ahead[first->taken++]));
    if (batch.is_full()) CO_RETURN_IF_ERROR(co_await batches->send(take_message(batch)));
  }
  if (!batch.empty()) CO_RETURN_IF_ERROR(co_await batches->send(take_message(batch)));
  co_return base::Result<>{};
}

bool may_say_more(const TaskTable& tasks, const std::string& task_uid) {
  const auto* runner = tasks.find(task_uid);
  return runner != nullptr && !core::is_terminal(runner->status().state());
}

base::Co<> wait_for_task_end(std::shared_ptr<Source> source, const TaskTable& tasks, base::Clock& clock) {
  while (may_say_more(tasks, source->names.task_uid())) CO_RETURN_IF_ERROR(co_await clock.sleep(kLookInterval));
  source->reader->stop_following();
  co_return base::Result<>{};
}

base::Co<> read_on(std::shared_ptr<Source> source, std::shared_ptr<Batches> batches) {
  core::LogBatchWriter batch;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto lines, co_await source->reader->next_batch());
    if (lines.empty()) co_return base::Result<>{};
    for (std::size_t i = 0; i < lines.size(); ++i) batch.add(to_batch_line(*source, lines[i]));
    CO_RETURN_IF_ERROR(co_await batches->send(take_message(batch)));
  }
}

struct Following {
  Following(const TaskTable& table, base::Clock& ticker, logs::LogOptions wanted, std::shared_ptr<Batches> into)
      : tasks(table), clock(ticker), options(std::move(wanted)), batches(std::move(into)) {}
  const TaskTable& tasks;
  base::Clock& clock;
  logs::LogOptions options;
  std::shared_ptr<Batches> batches;
};

base::Co<> follow(std::shared_ptr<Source> source, std::shared_ptr<Following> following) {
  while (!source->reader) {
    const bool more = may_say_more(following->tasks, source->names.task_uid());
    CO_ASSIGN_OR_RETURN(const bool opened,
                        open_reader(*source, following->batches->executor(), following->clock, following->options));
    if (opened) break;
    if (!more) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await following->clock.sleep(kLookInterval));
  }
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [read, ended] =
      co_await (read_on(source, following->batches) && wait_for_task_end(source, following->tasks, following->clock));
  co_return read ? ended : read;
}

// All at the same time, from the i-th on.
base::Co<> follow_all(Sources sources, std::size_t i, std::shared_ptr<Following> following) {
  if (i == sources.size()) co_return base::Result<>{};
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [first, others] = co_await (follow(sources[i], following) && follow_all(sources, i + 1, following));
  co_return first ? others : first;
}

// First the past in the order of time, then what comes as it comes.
base::Co<> catch_up_and_follow(Sources sources, std::shared_ptr<Following> following) {
  CO_RETURN_IF_ERROR(co_await read_merged(sources, following->batches, following->clock, following->options));
  v1::StreamFromAgent caught_up;
  caught_up.set_caught_up(true);
  CO_RETURN_IF_ERROR(co_await following->batches->send(std::move(caught_up)));
  co_return co_await follow_all(std::move(sources), 0, following);
}

base::Co<> send_all(std::shared_ptr<Batches> batches, std::shared_ptr<DataStream> stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await batches->receive());
    if (!message) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await stream->send(std::move(*message)));
  }
}

// The reader ends the channel, so that the sender ends; an error of either is the result.
base::Co<> close_after(base::Co<> reading, std::shared_ptr<Batches> batches) {
  auto read = co_await std::move(reading);
  batches->close();
  co_return read;
}

base::Co<> wait_until_gone(std::shared_ptr<DataStream> stream) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message || !*message) co_return base::Result<>{};
  }
}

base::Co<> carry(base::Co<> reading, std::shared_ptr<Batches> batches, std::shared_ptr<DataStream> stream) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [read, sent] = co_await (close_after(std::move(reading), batches) && send_all(batches, stream));
  co_return read ? sent : read;
}

// What a task here says.
std::shared_ptr<Source> source_of(const TaskRunner& runner) {
  const auto& task = runner.assignment().task();
  auto source = std::make_shared<Source>();
  source->names = core::log_source(task);
  source->folder = runner.executor()->runtime.log_folder(task.meta().uid());
  return source;
}

}  // namespace

base::Co<> StreamServer::logs(v1::NodeLogs want, std::shared_ptr<DataStream> stream) {
  Sources sources;
  for (const auto& uid : want.task_uids()) {
    const auto* runner = parts_.tasks.find(uid);
    // Its output is with that of tasks that are gone, or there never was any.
    if (runner == nullptr || runner->executor() == nullptr || runner->removed()) continue;
    sources.push_back(source_of(*runner));
  }
  const auto& request = want.request();
  if (parts_.log_keeper != nullptr && (request.previous() || !request.task_uid().empty())) {
    for (auto& gone : parts_.log_keeper->gone()) {
      if (!core::is_wanted(gone.source, request)) continue;
      auto source = std::make_shared<Source>();
      source->names = std::move(gone.source);
      source->folder = std::move(gone.folder);
      sources.push_back(std::move(source));
    }
  }
  const auto options = to_options(request);
  auto batches = std::make_shared<Batches>(parts_.group.executor(), kBatchesAhead);
  auto following = std::make_shared<Following>(parts_.tasks, parts_.clock, options, batches);
  auto reading =
      options.follow ? catch_up_and_follow(sources, following) : read_merged(sources, batches, parts_.clock, options);
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry(std::move(reading), batches, stream) || wait_until_gone(stream));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
