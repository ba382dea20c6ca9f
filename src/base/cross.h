#pragma once

// From one event loop to another. Channels, notifiers and streams belong to one executor; these two don't.

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "base/notifier.h"
#include "base/worker_pool.h"

namespace orchion::base {

// A bounded queue from coroutines of one executor to coroutines of another, each run by one thread. The other side
// is woken only where it waits, so that values that come quickly share one crossing. Held by shared_ptr.
template <class T>
class CrossChannel : public std::enable_shared_from_this<CrossChannel<T>> {
 public:
  CrossChannel(Executor from, Executor to, std::size_t capacity)
      : capacity_(capacity), readable_(to), writable_(from) {}

  // On `from`. Waits while it is full; kUnavailable once closed.
  Co<> send(T value) {
    const auto self = this->shared_from_this();
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (closed_) co_return fail(Code::kUnavailable, "the stream is closed");
        if (queue_.size() < capacity_) {
          queue_.push_back(std::move(value));
          wake(receiver_waits_, readable_);
          co_return Result<>{};
        }
        sender_waits_ = true;
      }
      CO_RETURN_IF_ERROR(co_await writable_.wait());
    }
  }

  // On any thread: queues beyond the capacity where need be; dropped once closed.
  void put(T value) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    queue_.push_back(std::move(value));
    wake(receiver_waits_, readable_);
  }

  // On `to`. nullopt: closed in order, and everything was received.
  Co<std::optional<T>> receive() {
    const auto self = this->shared_from_this();
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (!queue_.empty()) {
          T value = std::move(queue_.front());
          queue_.pop_front();
          wake(sender_waits_, writable_);
          co_return std::optional<T>(std::move(value));
        }
        if (closed_ && error_) co_return std::unexpected(*error_);
        if (closed_) co_return std::optional<T>();
        receiver_waits_ = true;
      }
      CO_RETURN_IF_ERROR(co_await readable_.wait());
    }
  }

  // On `to`. All that is queued; empty when nothing came within `limit`; nullopt as receive().
  Co<std::optional<std::deque<T>>> receive_all(Duration limit) {
    const auto self = this->shared_from_this();
    std::optional<boost::asio::steady_timer> timer;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (!queue_.empty()) {
          wake(sender_waits_, writable_);
          co_return std::optional(std::exchange(queue_, {}));
        }
        if (closed_ && error_) co_return std::unexpected(*error_);
        if (closed_) co_return std::optional<std::deque<T>>();
        receiver_waits_ = true;
      }
      if (timer && std::chrono::steady_clock::now() >= deadline) co_return std::optional(std::deque<T>());
      if (!timer) start_timer(timer.emplace(readable_.executor(), deadline));
      CO_RETURN_IF_ERROR(co_await readable_.wait());
    }
  }

  // On any thread. What is queued is still received; then nullopt, or the error.
  void close(std::optional<Error> error = std::nullopt) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    error_ = std::move(error);
    wake(receiver_waits_, readable_);
    wake(sender_waits_, writable_);
  }

 private:
  // With the lock held. The post cannot overtake the waiter: it runs on the waiter's own executor.
  void wake(bool& waits, Notifier& notifier) {
    if (!std::exchange(waits, false)) return;
    post_to(notifier.executor(), [self = this->shared_from_this(), &notifier] { notifier.notify(); });
  }

  void start_timer(boost::asio::steady_timer& timer) {
    timer.async_wait([weak = this->weak_from_this()](const boost::system::error_code& ec) {
      const auto self = weak.lock();
      if (!ec && self) self->readable_.notify();
    });
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::deque<T> queue_;
  bool closed_ = false;
  std::optional<Error> error_;
  bool receiver_waits_ = false;
  bool sender_waits_ = false;
  Notifier readable_;  // touched on `to` only
  Notifier writable_;  // touched on `from` only
};

// Calls `function`, which doesn't wait and returns a Result, on `there`, and resumes the caller on its own executor.
// A cancelled caller stops waiting at once. `function` owns all it touches.
template <class Function>
auto run_on(Executor there, Function function) -> Co<typename std::invoke_result_t<Function>::value_type> {
  using R = std::invoke_result_t<Function>;
  const Executor here = co_await this_executor();
  auto answers = std::make_shared<CrossChannel<R>>(there, here, 1);
  std::function<void()> call = [answers, function = std::move(function)]() mutable { answers->put(function()); };
  post_to(there, std::move(call));
  CO_ASSIGN_OR_RETURN(auto answer, co_await answers->receive());
  co_return std::move(*answer);
}

}  // namespace orchion::base
