#pragma once

// Output of a container that somebody may sit in front of, as it comes, where the engine's log has only whole lines.

#include <deque>
#include <memory>
#include <set>
#include <vector>

#include <boost/asio/cancellation_signal.hpp>

#include "base/notifier.h"
#include "node/runtimes/attach/attach_output.h"
#include "node/runtimes/engine/exec_stream.h"

namespace orchion::node::runtimes::engine {

class FeedOutput;

// What an engine's stream says, kept as far as it fits, for any number of readers. It is always read, so that the
// engine never holds up the container; only while a reader is behind by all that is kept the stream waits, for a
// bounded time. One executor; shared with its own coroutine.
class LiveFeed : public std::enable_shared_from_this<LiveFeed> {
 public:
  // `written` came before `stream`. `clock` must outlive it.
  static std::shared_ptr<LiveFeed> begin(base::Executor executor, base::Clock& clock, std::uint32_t attempt,
                                         std::vector<ExecOutput> written, std::unique_ptr<wire::RawStream> stream,
                                         bool tty);
  LiveFeed(base::Executor executor, base::Clock& clock, std::uint32_t attempt, std::unique_ptr<wire::RawStream> stream,
           bool tty);

  std::uint32_t attempt() const { return attempt_; }
  bool ended() const { return ended_; }

  // Hears no more. What is kept is still given.
  void stop();

  // From the oldest that is kept.
  std::unique_ptr<attach::AttachOutput> open_output();

 private:
  friend class FeedOutput;

  base::Co<> run();
  base::Co<> make_room();
  void keep(ExecOutput output);
  void drop_oldest();
  std::uint64_t slowest() const;

  base::Clock& clock_;
  std::uint32_t attempt_;
  std::unique_ptr<wire::RawStream> stream_;
  bool tty_;
  std::deque<ExecOutput> kept_;
  std::uint64_t first_ = 0;  // the number of the oldest that is kept
  std::size_t kept_bytes_ = 0;
  std::set<const FeedOutput*> readers_;
  base::Notifier changed_;
  boost::asio::cancellation_signal cancel_;
  bool ended_ = false;
};

}  // namespace orchion::node::runtimes::engine
