#pragma once

// One run of a slow job for all who ask for it meanwhile.

#include <cstdint>
#include <functional>
#include <memory>

#include "base/notifier.h"
#include "base/worker_pool.h"

namespace orchion::node::networks {

// The job runs on `workers`, one run at a time; it owns all it touches. One executor; not thread-safe.
class Batcher {
 public:
  Batcher(base::Executor executor, base::WorkerPool& workers, std::function<base::Result<>()> job);

  // Returns the result of a run that began after this call. A cancelled caller's run still happens.
  base::Co<> run();

 private:
  struct State {
    State(base::Executor executor, std::function<base::Result<>()> what) : job(std::move(what)), changed(executor) {}
    const std::function<base::Result<>()> job;
    base::Notifier changed;
    std::uint64_t wanted = 0;
    std::uint64_t finished = 0;  // all wishes up to this one
    bool running = false;
    base::Result<> result;
  };
  void start();

  base::WorkerPool& workers_;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::node::networks
