#pragma once

// Threads for calls that block (fsync, netlink, mounts, archives), so that an event loop never does.

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/notifier.h"

namespace orchion::base {

// Thread-safe. The destructor waits for the jobs that run; jobs not yet begun are dropped.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `job` on a worker, resumes the caller on its own executor. A cancelled caller stops waiting at
  // once, the job runs to its end. `job` returns a Result<T> and owns all it touches.
  template <class Job>
  auto run(Job job) -> Co<typename std::invoke_result_t<Job>::value_type>;

  // Queues `job` and returns.
  void post(std::function<void()> job);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs `action` on `executor` soon; never inline. Thread-safe.
void post_to(const Executor& executor, std::function<void()> action);

// The executor of the calling coroutine.
boost::asio::awaitable<Executor> this_executor();

template <class Job>
auto WorkerPool::run(Job job) -> Co<typename std::invoke_result_t<Job>::value_type> {
  using R = std::invoke_result_t<Job>;
  struct Call {
    explicit Call(Executor executor) : done(executor) {}
    Notifier done;
    std::optional<R> result;
    std::exception_ptr thrown;
  };
  const Executor executor = co_await this_executor();
  auto call = std::make_shared<Call>(executor);
  auto work = std::make_shared<Job>(std::move(job));
  std::function<void()> body = [call, work, executor]() mutable {
    auto result = std::make_shared<std::optional<R>>();  // shared, since a function object must be copyable
    std::exception_ptr thrown;
    try {
      result->emplace((*work)());
    } catch (...) {
      thrown = std::current_exception();
    }
    work.reset();
    // The Call is touched and released only on the caller's executor.
    post_to(executor, [call = std::move(call), result = std::move(result), thrown]() mutable {
      call->result = std::move(*result);
      call->thrown = thrown;
      call->done.notify();
    });
  };
  work.reset();
  post(std::move(body));
  while (!call->result && !call->thrown) CO_RETURN_IF_ERROR(co_await call->done.wait());
  if (call->thrown) std::rethrow_exception(call->thrown);
  co_return std::move(*call->result);
}

}  // namespace orchion::base
