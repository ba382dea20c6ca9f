// What tasks said, as lines on a stream.

#include <deque>
#include <utility>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "core/task_state.h"
#include "core/timestamps.h"
#include "node/agent/streams.h"
#include "node/logs/log_reader.h"

namespace orchion::node::agent {

namespace {

constexpr std::size_t kBatchLines = 256;
constexpr std::size_t kLinesAhead = 256;

// How often a follower looks whether there is output yet, and whether there can be more.
constexpr auto kLookInterval = std::chrono::milliseconds(500);

using Lines = base::Channel<v1::StreamFromAgent>;

struct Source {
  std::string task_uid;
  v1::LogLine names;  // stack, service, slot, task_uid
  std::filesystem::path folder;
  std::unique_ptr<logs::LogReader> reader;
  std::deque<logs::Line> ahead;
  bool ended = false;
};
using Sources = std::vector<std::shared_ptr<Source>>;

logs::LogOptions to_options(const v1::LogsRequest& request) {
  logs::LogOptions options;
  if (request.has_since()) options.since = core::from_timestamp(request.since());
  if (request.has_until()) options.until = core::from_timestamp(request.until());
  if (request.has_tail()) options.tail = request.tail();
  options.follow = request.follow();
  options.grep = request.grep();
  return options;
}

v1::StreamFromAgent to_message(const Source& source, logs::Line line) {
  v1::StreamFromAgent result;
  v1::LogLine& message = *result.mutable_log();
  message = source.names;
  *message.mutable_time() = core::to_timestamp(line.time);
  message.set_stream(line.stream == logs::OutputStream::kError ? v1::LogLine::STDERR : v1::LogLine::STDOUT);
  message.set_line(std::move(line.text));
  return result;
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
  CO_ASSIGN_OR_RETURN(auto batch, co_await source->reader->written_batch(kBatchLines));
  source->ended = batch.empty();
  for (auto& line : batch) source->ahead.push_back(std::move(line));
  co_return base::Result<>{};
}

// What is written by now, in the order of time. A follower's readers go on from there.
base::Co<> read_merged(Sources sources, std::shared_ptr<Lines> lines, base::Clock& clock, logs::LogOptions options) {
  for (auto& source : sources) {
    CO_ASSIGN_OR_RETURN(const bool opened, open_reader(*source, lines->executor(), clock, options));
    source->ended = !opened;
  }
  while (true) {
    Source* first = nullptr;
    for (auto& source : sources) {
      if (source->ahead.empty() && !source->ended) CO_RETURN_IF_ERROR(co_await refill(source));
      if (source->ahead.empty()) continue;
      if (first == nullptr || source->ahead.front().time < first->ahead.front().time) first = source.get();
    }
    if (first == nullptr) break;
    auto line = std::move(first->ahead.front());
    first->ahead.pop_front();
    CO_RETURN_IF_ERROR(co_await lines->send(to_message(*first, std::move(line))));
  }
  co_return base::Result<>{};
}

bool may_say_more(const TaskTable& tasks, const std::string& task_uid) {
  const auto* runner = tasks.find(task_uid);
  return runner != nullptr && !core::is_terminal(runner->status().state());
}

base::Co<> wait_for_task_end(std::shared_ptr<Source> source, const TaskTable& tasks, base::Clock& clock) {
  while (may_say_more(tasks, source->task_uid)) CO_RETURN_IF_ERROR(co_await clock.sleep(kLookInterval));
  source->reader->stop_following();
  co_return base::Result<>{};
}

base::Co<> read_on(std::shared_ptr<Source> source, std::shared_ptr<Lines> lines) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto line, co_await source->reader->next());
    if (!line) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await lines->send(to_message(*source, std::move(*line))));
  }
}

struct Following {
  Following(const TaskTable& table, base::Clock& ticker, logs::LogOptions wanted, std::shared_ptr<Lines> into)
      : tasks(table), clock(ticker), options(std::move(wanted)), lines(std::move(into)) {}
  const TaskTable& tasks;
  base::Clock& clock;
  logs::LogOptions options;
  std::shared_ptr<Lines> lines;
};

base::Co<> follow(std::shared_ptr<Source> source, std::shared_ptr<Following> following) {
  while (!source->reader) {
    const bool more = may_say_more(following->tasks, source->task_uid);
    CO_ASSIGN_OR_RETURN(const bool opened,
                        open_reader(*source, following->lines->executor(), following->clock, following->options));
    if (opened) break;
    if (!more) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await following->clock.sleep(kLookInterval));
  }
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [read, ended] =
      co_await (read_on(source, following->lines) && wait_for_task_end(source, following->tasks, following->clock));
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
  CO_RETURN_IF_ERROR(co_await read_merged(sources, following->lines, following->clock, following->options));
  v1::StreamFromAgent caught_up;
  caught_up.set_caught_up(true);
  CO_RETURN_IF_ERROR(co_await following->lines->send(std::move(caught_up)));
  co_return co_await follow_all(std::move(sources), 0, following);
}

base::Co<> send_all(std::shared_ptr<Lines> lines, std::shared_ptr<DataStream> stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await lines->receive());
    if (!message) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await stream->send(std::move(*message)));
  }
}

// The reader ends the channel, so that the sender ends; an error of either is the result.
base::Co<> close_after(base::Co<> reading, std::shared_ptr<Lines> lines) {
  auto read = co_await std::move(reading);
  lines->close();
  co_return read;
}

base::Co<> wait_until_gone(std::shared_ptr<DataStream> stream) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message || !*message) co_return base::Result<>{};
  }
}

base::Co<> carry(base::Co<> reading, std::shared_ptr<Lines> lines, std::shared_ptr<DataStream> stream) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [read, sent] = co_await (close_after(std::move(reading), lines) && send_all(lines, stream));
  co_return read ? sent : read;
}

}  // namespace

base::Co<> StreamServer::logs(v1::NodeLogs want, std::shared_ptr<DataStream> stream) {
  Sources sources;
  for (const auto& uid : want.task_uids()) {
    const auto* runner = parts_.tasks.find(uid);
    // Its output was removed with it, or there never was any.
    if (runner == nullptr || runner->executor() == nullptr) continue;
    const auto& task = runner->assignment().task();
    auto source = std::make_shared<Source>();
    source->task_uid = uid;
    source->folder = runner->executor()->runtime.log_folder(uid);
    source->names.set_stack(task.meta().stack());
    source->names.set_service(task.spec().service());
    source->names.set_run(task.spec().run());
    source->names.set_slot(task.spec().run().empty() ? task.spec().slot() : task.spec().index());
    source->names.set_task_uid(uid);
    sources.push_back(std::move(source));
  }
  const auto options = to_options(want.request());
  auto lines = std::make_shared<Lines>(parts_.group.executor(), kLinesAhead);
  auto following = std::make_shared<Following>(parts_.tasks, parts_.clock, options, lines);
  auto reading =
      options.follow ? catch_up_and_follow(sources, following) : read_merged(sources, lines, parts_.clock, options);
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry(std::move(reading), lines, stream) || wait_until_gone(stream));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
