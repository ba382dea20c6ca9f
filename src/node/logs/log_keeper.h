#pragma once

// Looks after the output that this node keeps: what is written to the end is compressed, and what tasks that are gone
// have said is kept for a while.

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "v1/dispatcher.pb.h"

namespace orchion::node::logs {

struct LogKeeperOptions {
  std::filesystem::path folder;                    // of gone tasks' logs; made where there is none
  base::Duration keep_for = std::chrono::days(7);  // since the task went; zero: nothing of it is kept
  std::int64_t bytes_max = std::int64_t{1} << 30;  // of all of them; the oldest go first
  std::size_t tasks_max = 10'000;
};

// What a task that is gone has left.
struct GoneLog {
  v1::LogSource source;
  std::filesystem::path folder;  // of segments
  base::WallTime gone_at;
};

// Works on a thread of its own with low priority. All calls are thread-safe and return quickly.
class LogKeeper {
 public:
  // Goes on with what an earlier process kept. `clock` must outlive it.
  static base::Result<std::unique_ptr<LogKeeper>> start(base::Clock& clock, LogKeeperOptions options);
  // Waits for the segment at hand.
  ~LogKeeper();
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  // From now on the segments of this folder are sealed once there is a newer one. May be said again. A folder that
  // isn't there yet is passed over.
  void attend(const std::filesystem::path& folder);

  // The task is gone and nobody writes to `folder` any more: it is kept, or removed where nothing is to be kept, or can
  // be, which the log says. No folder there is no error.
  base::Result<> keep(const v1::LogSource& source, const std::filesystem::path& folder);

  // What is kept, the oldest first.
  std::vector<GoneLog> gone() const;

  // Returns once all that was there to do by now is done; for tests and benchmarks.
  void finish_work();

 private:
  struct Gone {
    GoneLog log;
    std::int64_t bytes = 0;
  };

  LogKeeper(base::Clock& clock, LogKeeperOptions options);
  base::Result<> load();
  base::Result<> move_to_gone(const v1::LogSource& source, const std::filesystem::path& folder);
  void run();
  bool work();
  void take_changes();
  void seal_closed(const std::filesystem::path& folder);
  void seal_gone(const std::string& uid);
  void forget_old();
  void wake();

  base::Clock& clock_;
  const LogKeeperOptions options_;
  base::UniqueFd changes_;  // inotify
  base::UniqueFd wake_;     // eventfd

  mutable std::mutex mutex_;
  std::condition_variable done_;
  bool ending_ = false;
  bool busy_ = false;
  std::map<int, std::filesystem::path> watched_;  // by watch
  std::deque<std::filesystem::path> grown_;       // folders with segments to seal
  std::deque<std::string> to_seal_;               // uids of gone tasks
  std::map<std::string, Gone> gone_;              // by uid
  std::thread thread_;                            // last: it uses the others
};

}  // namespace orchion::node::logs
