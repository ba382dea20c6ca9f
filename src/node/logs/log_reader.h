#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "node/logs/line_filter.h"

namespace orchion::node::logs {

struct LogOptions {
  LineChoice lines;
  std::optional<std::int64_t> tail;  // at most so many, the newest, of those
  bool follow = false;               // go on with what comes
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

  // As many lines as are at hand; none: the end. A follower waits; after an error only destruction makes sense.
  base::Co<Lines> next_batch();

  // The same without waiting for what isn't written yet: none is the end of what is, also for a follower.
  base::Co<Lines> written_batch();

  // What is written by now is still read, then it ends: for when the container is gone.
  void stop_following();

 private:
  struct State;
  explicit LogReader(std::unique_ptr<State> state);

  enum class AtTheEnd { kWait, kReturn };
  base::Co<> refill(AtTheEnd at_the_end);
  base::Co<bool> wait_for_change();

  std::unique_ptr<State> state_;
};

}  // namespace orchion::node::logs
