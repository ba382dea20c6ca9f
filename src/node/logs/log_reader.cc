#include "node/logs/log_reader.h"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/timeout.h"
#include "node/logs/line_filter.h"
#include "node/logs/log_tail.h"
#include "node/logs/segment_follower.h"

namespace orchion::node::logs {

namespace asio = boost::asio;

struct LogReader::State {
  State(base::Executor e, base::Clock& c, SegmentFollower segments, LogOptions o, LineFilter l)
      : executor(std::move(e)), clock(c), options(std::move(o)), filter(std::move(l)), records(std::move(segments)) {}

  base::Executor executor;
  base::Clock& clock;
  LogOptions options;
  LineFilter filter;
  SegmentFollower records;
  LineAssembler assembler;
  Lines ready;
  bool ended = false;

  void keep(const LineView& line) {
    if (filter.accepts(line)) ready.add(line);
  }

  void add(const Record& record) {
    assembler.add(record, [this](const LineView& line) { keep(line); });
  }

  void end() {
    assembler.flush([this](const LineView& line) { keep(line); });
    ended = true;
  }

  // False: at the end of all that is written.
  base::Result<bool> read_chunk() {
    return records.read_chunk([this](const Record& record) { add(record); });
  }
};

LogReader::LogReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogReader::~LogReader() = default;

base::Result<std::unique_ptr<LogReader>> LogReader::open(base::Executor executor, base::Clock& clock,
                                                         std::filesystem::path folder, LogOptions options) {
  ASSIGN_OR_RETURN(auto filter, LineFilter::make(options.lines));
  auto records = SegmentFollower::open(executor, folder);
  if (!records && records.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kNotFound, "no output of this container is kept on this node");
  if (!records) return std::unexpected(std::move(records).error());
  const bool follow = options.follow;
  auto state =
      std::make_unique<State>(std::move(executor), clock, std::move(*records), std::move(options), std::move(filter));
  state->records.choose([chosen = &state->filter](const BlockEntry& entry, std::string_view grams) {
    return chosen->may_be_in(entry, grams);
  });
  if (follow) RETURN_IF_ERROR(state->records.watch());
  if (state->options.tail) {
    const auto unfinished = follow ? Unfinished::kWaits : Unfinished::kCounts;
    const auto count = std::max<std::int64_t>(0, *state->options.tail);
    ASSIGN_OR_RETURN(auto tail, read_tail(folder, state->filter, count, unfinished));
    for (const auto& line : tail.lines) state->ready.add(line.view());
    state->assembler = std::move(tail.assembler);
    state->records.start_in(std::move(tail.segment), tail.next_number);
    state->ended = !follow;
  } else if (state->options.lines.since) {
    ASSIGN_OR_RETURN(const auto first, first_segment_since(folder, *state->options.lines.since));
    state->records.start_at(first);
  }
  return std::unique_ptr<LogReader>(new LogReader(std::move(state)));
}

base::Co<Lines> LogReader::next_batch() {
  if (state_->ready.empty()) CO_RETURN_IF_ERROR(co_await refill(AtTheEnd::kWait));
  co_return std::exchange(state_->ready, {});
}

base::Co<Lines> LogReader::written_batch() {
  if (state_->ready.empty()) CO_RETURN_IF_ERROR(co_await refill(AtTheEnd::kReturn));
  co_return std::exchange(state_->ready, {});
}

base::Co<> LogReader::refill(AtTheEnd at_the_end) {
  while (state_->ready.empty() && !state_->ended) {
    // Before the look at the files: what is written after it must not be taken for the end.
    const bool following = state_->records.following();
    CO_ASSIGN_OR_RETURN(const bool more, state_->read_chunk());
    if (more) {
      co_await asio::post(state_->executor, asio::use_awaitable);
    } else if (!following) {
      state_->end();
    } else if (at_the_end == AtTheEnd::kReturn) {
      break;
    } else {
      CO_ASSIGN_OR_RETURN(const bool changed, co_await wait_for_change());
      if (!changed) state_->end();
    }
  }
  co_return base::Result<>{};
}

// False: the time to stop has come.
base::Co<bool> LogReader::wait_for_change() {
  if (!state_->records.following()) co_return true;
  if (!state_->options.lines.until) {
    CO_RETURN_IF_ERROR(co_await state_->records.wait());
    co_return true;
  }
  const auto left = *state_->options.lines.until - state_->clock.wall();
  if (left <= base::Duration::zero()) co_return false;
  auto changed = co_await base::with_timeout(state_->clock, left, "the output", state_->records.wait());
  if (!changed && changed.error().code == base::Code::kDeadlineExceeded) co_return false;
  if (!changed) co_return std::unexpected(std::move(changed).error());
  co_return true;
}

void LogReader::stop_following() {
  state_->records.stop();
}

}  // namespace orchion::node::logs
