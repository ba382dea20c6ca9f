#pragma once

// The output of one container, captured while it runs.

#include <memory>

#include "base/notifier.h"
#include "base/worker_pool.h"
#include "node/engine/engine_client.h"
#include "node/runtimes/engine/folder_watch.h"
#include "node/runtimes/engine/log_copier.h"

namespace orchion::node::runtimes::engine {

// What a capture needs of the runtime, which it may outlive by the length of one copy. `pool` and `clock` outlive it.
struct LogCaptureTools {
  base::Executor executor;
  base::WorkerPool& pool;
  base::Clock& clock;
  std::shared_ptr<node::engine::EngineClient> client;
  std::shared_ptr<FolderWatch> watch;
  node::engine::Dialect dialect = node::engine::Dialect::kDocker;
};

// One executor. An engine that doesn't answer is asked again: what it writes meanwhile isn't lost.
class LogCapture : public std::enable_shared_from_this<LogCapture> {
 public:
  // Begins in the background and goes on until stop() or the end of what an ended container has written.
  static std::shared_ptr<LogCapture> begin(LogCaptureTools tools, std::string engine_id, std::uint16_t attempt,
                                           std::filesystem::path folder, std::int64_t bytes_max);
  LogCapture(LogCaptureTools tools, std::string engine_id, std::uint16_t attempt, LogCopierOptions options);

  // The container has ended: returns when all its output is in the segments, or can't be had.
  base::Co<> drain();

  // Returns when the segments have what the engine's log had at the call, or it can't be had.
  base::Co<> catch_up();

  // Nothing is written from now on but what is being written.
  void stop();

  std::uint16_t attempt() const { return attempt_; }

 private:
  base::Co<> run();
  base::Co<> find_source();
  base::Co<> copy_until_drained();
  void changed();

  LogCaptureTools tools_;
  std::string engine_id_;
  std::uint16_t attempt_;
  LogCopierOptions options_;
  base::Notifier changed_;
  bool ended_ = false;
  bool stopped_ = false;
  bool done_ = false;
  std::uint64_t changes_ = 0;
  std::uint64_t copied_ = 0;  // the changes that are in the segments
};

}  // namespace orchion::node::runtimes::engine
