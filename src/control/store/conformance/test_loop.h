#pragma once

// Runs coroutines to their end from a test's ordinary function.

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/co.h"

namespace orchion::control::store {

// Where a coroutine's result appears when it has ended. A cancelled one that threw: kCancelled.
template <class T>
using Outcome = std::shared_ptr<std::optional<base::Result<T>>>;

class TestLoop {
 public:
  boost::asio::io_context& io() { return io_; }
  base::Executor executor() { return io_.get_executor(); }

  // Begins with the next turn of the loop.
  template <class T>
  Outcome<T> start(base::Co<T> coroutine, boost::asio::cancellation_signal* signal = nullptr) {
    auto outcome = std::make_shared<std::optional<base::Result<T>>>();
    boost::asio::co_spawn(
        io_, std::move(coroutine),
        boost::asio::bind_cancellation_slot(signal ? signal->slot() : boost::asio::cancellation_slot(),
                                            [outcome](std::exception_ptr thrown, base::Result<T> result) {
                                              if (thrown)
                                                result = base::fail(base::Code::kCancelled, "the coroutine threw");
                                              *outcome = std::move(result);
                                            }));
    return outcome;
  }

  // Runs the loop until the outcome is there, and takes it.
  template <class T>
  base::Result<T> wait(const Outcome<T>& outcome) {
    io_.restart();
    while (!outcome->has_value()) {
      if (io_.run_one() == 0) return base::fail(base::Code::kInternal, "the loop has nothing left to do");
    }
    return std::move(**outcome);
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    return wait(start(std::move(coroutine)));
  }

  // Runs what can run now.
  void poll() {
    io_.restart();
    io_.poll();
  }

  // Runs one handler.
  void step() {
    io_.restart();
    io_.run_one();
  }

 private:
  boost::asio::io_context io_;
};

}  // namespace orchion::control::store
