#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "node/logs/line.h"

namespace orchion::node::logs {

struct LogOptions {
  std::optional<base::WallTime> since;  // lines captured then or later
  std::optional<base::WallTime> until;  // and before
  std::optional<std::int64_t> tail;     // at most so many, the newest, of what the others leave
  bool follow = false;                  // go on with what comes
  std::string grep;                     // RE2's syntax, anywhere in the line; empty: all
};

// Reads a container's log folder as lines, from the oldest kept. Belongs to one executor; one call at a time.
// The writer may append, rotate and remove meanwhile: nothing that was kept while it was read is lost, and a line
// appears a fraction of a millisecond after its end was captured.
//
// Files are read on the executor itself, 256 KiB at a time with a turn for others after each: what was captured is
// nearly always in the page cache, where a read takes 30 microseconds, as long as the way to a worker and back.
class LogReader {
 public:
  // kNotFound: no output is kept there. kInvalidArgument: `grep` is no regular expression. `clock` (for `until` of a
  // follower) must outlive the reader.
  static base::Result<std::unique_ptr<LogReader>> open(base::Executor executor, base::Clock& clock,
                                                       std::filesystem::path folder, LogOptions options);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  // nullopt: the end. A follower waits; after an error only destruction makes sense.
  base::Co<std::optional<Line>> next();

  // As many lines as are at hand, at least one and at most `count_max`; empty: the end. Cheaper for many.
  base::Co<std::vector<Line>> next_batch(std::size_t count_max);

  // The same without waiting for what isn't written yet: empty is the end of what is, also for a follower.
  base::Co<std::vector<Line>> written_batch(std::size_t count_max);

  // What is written by now is still read, then it ends: for when the container is gone.
  void stop_following();

 private:
  struct State;
  explicit LogReader(std::unique_ptr<State> state);

  enum class AtTheEnd { kWait, kReturn };
  base::Co<> refill(AtTheEnd at_the_end);
  std::vector<Line> take(std::size_t count_max);
  base::Co<bool> wait_for_change();

  std::unique_ptr<State> state_;
};

}  // namespace orchion::node::logs
