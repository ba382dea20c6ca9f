#pragma once

#include <type_traits>
#include <utility>

#include "base/worker_pool.h"

namespace orchion::node::agent {

// Runs what may block on `workers`; inline where that is null, as in a simulation, which has one thread.
template <class Job>
auto run_blocking(base::WorkerPool* workers, Job job) -> base::Co<typename std::invoke_result_t<Job>::value_type> {
  if (workers == nullptr) co_return job();
  co_return co_await workers->run(std::move(job));
}

}  // namespace orchion::node::agent
