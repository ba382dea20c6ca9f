#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/notifier.h"

namespace orchion::base {

// A bounded queue between coroutines of one executor. Senders wait while it is full, receivers while it is
// empty. After close() what was queued is still received, then receivers get the closing error, or nullopt
// where it was closed without one. Not thread-safe.
template <class T>
class Channel {
 public:
  Channel(Executor executor, std::size_t capacity) : capacity_(capacity), readable_(executor), writable_(executor) {}

  Co<> send(T value) {
    while (queue_.size() >= capacity_ && !closed_) {
      auto woken = co_await writable_.wait();
      if (!woken) co_return std::unexpected(woken.error());
    }
    if (closed_) co_return fail(Code::kUnavailable, "the stream is closed");
    push(std::move(value));
    co_return Result<>{};
  }

  // False when it is full or closed.
  bool try_send(T value) {
    if (closed_ || queue_.size() >= capacity_) return false;
    push(std::move(value));
    return true;
  }

  // nullopt: closed in order, nothing more will come.
  Co<std::optional<T>> receive() {
    while (queue_.empty() && !closed_) {
      auto woken = co_await readable_.wait();
      if (!woken) co_return std::unexpected(woken.error());
    }
    co_return take();
  }

  std::optional<T> try_receive() {
    if (queue_.empty()) return std::nullopt;
    return pop();
  }

  void close() { close_with(std::nullopt); }
  void close(Error error) { close_with(std::move(error)); }

  bool closed() const { return closed_; }
  bool empty() const { return queue_.empty(); }
  std::size_t size() const { return queue_.size(); }
  const Executor& executor() const { return readable_.executor(); }

 private:
  void push(T value) {
    queue_.push_back(std::move(value));
    readable_.notify();
  }

  T pop() {
    T value = std::move(queue_.front());
    queue_.pop_front();
    writable_.notify();
    return value;
  }

  Result<std::optional<T>> take() {
    if (!queue_.empty()) return std::optional<T>(pop());
    if (error_) return std::unexpected(*error_);
    return std::optional<T>();
  }

  void close_with(std::optional<Error> error) {
    if (closed_) return;
    closed_ = true;
    error_ = std::move(error);
    readable_.notify();
    writable_.notify();
  }

  std::size_t capacity_;
  std::deque<T> queue_;
  bool closed_ = false;
  std::optional<Error> error_;
  Notifier readable_;
  Notifier writable_;
};

}  // namespace orchion::base
