#include "node/logs/log_reader.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/timeout.h"
#include "node/logs/line_filter.h"
#include "node/logs/log_tail.h"
#include "node/logs/segment_file.h"

namespace orchion::node::logs {

namespace asio = boost::asio;

struct LogReader::State {
  State(base::Executor e, base::Clock& c, std::filesystem::path f, LogOptions o, LineFilter l)
      : executor(e), clock(c), folder(std::move(f)), options(std::move(o)), filter(std::move(l)), changes(e) {}

  base::Executor executor;
  base::Clock& clock;
  std::filesystem::path folder;
  LogOptions options;
  LineFilter filter;
  std::optional<SegmentFile> segment;
  std::uint64_t next_number = 0;  // of the first segment not yet begun
  LineAssembler assembler;
  std::deque<Line> ready;
  bool following = false;
  bool ended = false;
  asio::posix::stream_descriptor changes;  // inotify, of a follower

  base::Result<> watch() {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return base::fail_errno(errno, "cannot follow captured output");
    changes.assign(fd);
    if (::inotify_add_watch(fd, folder.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE_SELF) < 0)
      return base::fail_errno(errno, fmt::format("cannot follow {}", folder.string()));
    return {};
  }

  void keep(Line line) {
    if (filter.accepts(line)) ready.push_back(std::move(line));
  }

  void add(const Record& record) {
    assembler.add(record, [this](Line&& line) { keep(std::move(line)); });
  }

  void end() {
    assembler.flush([this](Line&& line) { keep(std::move(line)); });
    ended = true;
  }

  // None, and nothing to follow, once the folder has been removed.
  base::Result<std::vector<std::uint64_t>> segments() {
    auto numbers = list_segments(folder);
    if (numbers || numbers.error().code != base::Code::kNotFound) return numbers;
    following = false;
    return std::vector<std::uint64_t>();
  }

  // The next segment there is, skipping what was removed before it was begun. False: none yet.
  base::Result<bool> open_next() {
    ASSIGN_OR_RETURN(const auto numbers, segments());
    for (const auto number : numbers) {
      if (number < next_number) continue;
      auto opened = SegmentFile::open(folder, number);
      if (!opened && opened.error().code == base::Code::kNotFound) continue;
      if (!opened) return std::unexpected(std::move(opened).error());
      segment = *std::move(opened);
      next_number = number + 1;
      return true;
    }
    return false;
  }

  // One chunk of records. False: at the end of all that is written.
  base::Result<bool> read_chunk() {
    if (!segment) {
      ASSIGN_OR_RETURN(const bool opened, open_next());
      if (!opened) return false;
    }
    ASSIGN_OR_RETURN(bool more, segment->fill());
    if (!more) {
      // A newer segment means that this one is finished, but its last bytes may have come after the look above.
      ASSIGN_OR_RETURN(const auto numbers, segments());
      if (numbers.empty() || numbers.back() <= segment->number()) return false;
      ASSIGN_OR_RETURN(more, segment->fill());
      if (!more) {
        segment.reset();
        return true;
      }
    }
    while (const auto record = segment->next()) add(*record);
    return true;
  }
};

LogReader::LogReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogReader::~LogReader() = default;

base::Result<std::unique_ptr<LogReader>> LogReader::open(base::Executor executor, base::Clock& clock,
                                                         std::filesystem::path folder, LogOptions options) {
  ASSIGN_OR_RETURN(auto filter, LineFilter::make(options.since, options.until, options.grep));
  auto numbers = list_segments(folder);
  if (!numbers && numbers.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kNotFound, "no output of this container is kept on this node");
  if (!numbers) return std::unexpected(std::move(numbers).error());
  auto state =
      std::make_unique<State>(std::move(executor), clock, std::move(folder), std::move(options), std::move(filter));
  state->following = state->options.follow;
  // Watching begins before reading: what comes in between is seen twice rather than not at all.
  if (state->following) RETURN_IF_ERROR(state->watch());
  if (state->options.tail) {
    const auto unfinished = state->following ? Unfinished::kWaits : Unfinished::kCounts;
    const auto count = std::max<std::int64_t>(0, *state->options.tail);
    ASSIGN_OR_RETURN(auto tail, read_tail(state->folder, state->filter, count, unfinished));
    state->ready = std::move(tail.lines);
    state->assembler = std::move(tail.assembler);
    state->segment = std::move(tail.segment);
    state->next_number = tail.next_number;
    state->ended = !state->following;
  } else if (state->options.since) {
    ASSIGN_OR_RETURN(state->next_number, first_segment_since(state->folder, *state->options.since));
  }
  return std::unique_ptr<LogReader>(new LogReader(std::move(state)));
}

base::Co<std::optional<Line>> LogReader::next() {
  if (state_->ready.empty()) CO_RETURN_IF_ERROR(co_await refill(AtTheEnd::kWait));
  if (state_->ready.empty()) co_return std::nullopt;
  std::optional<Line> line(std::move(state_->ready.front()));
  state_->ready.pop_front();
  co_return line;
}

base::Co<std::vector<Line>> LogReader::next_batch(std::size_t count_max) {
  if (state_->ready.empty()) CO_RETURN_IF_ERROR(co_await refill(AtTheEnd::kWait));
  co_return take(count_max);
}

base::Co<std::vector<Line>> LogReader::written_batch(std::size_t count_max) {
  if (state_->ready.empty()) CO_RETURN_IF_ERROR(co_await refill(AtTheEnd::kReturn));
  co_return take(count_max);
}

std::vector<Line> LogReader::take(std::size_t count_max) {
  const auto count = std::min(count_max, state_->ready.size());
  const auto end = state_->ready.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Line> batch(std::make_move_iterator(state_->ready.begin()), std::make_move_iterator(end));
  state_->ready.erase(state_->ready.begin(), end);
  return batch;
}

base::Co<> LogReader::refill(AtTheEnd at_the_end) {
  while (state_->ready.empty() && !state_->ended) {
    // Before the look at the files: what is written after it must not be taken for the end.
    const bool following = state_->following;
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

// Swallows the events: that there were some is all that matters.
base::Co<> LogReader::wait_for_events() {
  boost::system::error_code error;
  co_await state_->changes.async_wait(asio::posix::stream_descriptor::wait_read,
                                      asio::redirect_error(asio::use_awaitable, error));
  char events[4096];
  while (!error && ::read(state_->changes.native_handle(), events, sizeof events) > 0) {
  }
  // Cancelled by stop_following, or from outside.
  if (error && state_->following) co_return base::fail(base::Code::kCancelled, "reading the output was cancelled");
  co_return base::Result<>{};
}

// False: the time to stop has come.
base::Co<bool> LogReader::wait_for_change() {
  if (!state_->following) co_return true;
  if (!state_->options.until) {
    CO_RETURN_IF_ERROR(co_await wait_for_events());
    co_return true;
  }
  const auto left = *state_->options.until - state_->clock.wall();
  if (left <= base::Duration::zero()) co_return false;
  auto changed = co_await base::with_timeout(state_->clock, left, "the output", wait_for_events());
  if (!changed && changed.error().code == base::Code::kDeadlineExceeded) co_return false;
  if (!changed) co_return std::unexpected(std::move(changed).error());
  co_return true;
}

void LogReader::stop_following() {
  state_->following = false;
  if (state_->changes.is_open()) state_->changes.cancel();
}

}  // namespace orchion::node::logs
