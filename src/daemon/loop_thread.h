#pragma once

#include <memory>
#include <optional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/co.h"

namespace orchion::daemon {

// An event loop on a thread of its own.
class LoopThread {
 public:
  LoopThread() : guard_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~LoopThread() {
    guard_.reset();
    io_.stop();
    thread_.join();
  }

  base::Executor executor() { return io_.get_executor(); }

  // Runs `coroutine` there and waits for it. Not from that thread.
  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    return boost::asio::co_spawn(io_, std::move(coroutine), boost::asio::use_future).get();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

// Signals that end a daemon. Block them before any thread is started; wait() then returns when one has come.
class EndSignals {
 public:
  EndSignals();
  void wait();

  // One has come, and nobody has waited for it yet.
  static bool pending();
};

}  // namespace orchion::daemon
