#pragma once

// For tests: a machine of one's own. A new network namespace that plays the host, an "outside" connected to it, and
// small servers and clients in any namespace. Nothing of it reaches the real machine.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/co.h"
#include "base/file.h"
#include "base/worker_pool.h"

namespace orchion::node::networks::lab {

// A place: the namespace at a path; empty: the host.
using Place = std::filesystem::path;

// Moves the calling thread, and all threads it starts later, onto a new machine: network and mounts are its own.
// Its address towards "outside" is 192.0.2.1.
class Machine {
 public:
  Machine();
  ~Machine();

  const std::filesystem::path& folder() const { return folder_; }

  // 192.0.2.2, with a route back to the host and nothing else.
  Place outside() const { return folder_ / "outside"; }

 private:
  std::filesystem::path folder_;
};

inline constexpr const char* kHostAddress = "192.0.2.1";
inline constexpr const char* kOutsideAddress = "192.0.2.2";

// Throws what goes wrong: tests only.
void in_place(const Place& place, const std::function<void()>& work);

// Answers every connection, or datagram, with "ADDRESS" of who sent it, and for datagrams what was sent after a space.
class Server {
 public:
  Server(const Place& place, const std::string& address, std::uint16_t port, bool udp = false);
  ~Server();

 private:
  void serve();
  base::UniqueFd socket_;
  base::UniqueFd stop_;
  bool udp_;
  std::thread thread_;
};

// What the server there answered; "" when nobody did within half a second: less than the second after which a lost
// first packet would be sent again.
std::string ask(const Place& place, const std::string& address, std::uint16_t port);
std::string ask_udp(const Place& place, const std::string& address, std::uint16_t port, const std::string& text = "?");

// An event loop on a thread of its own, so that a test can block while coroutines run.
class Loop {
 public:
  Loop() : guard_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~Loop() {
    guard_.reset();
    io_.stop();
    thread_.join();
  }
  base::Executor executor() { return io_.get_executor(); }

  template <class T>
  std::future<base::Result<T>> start(base::Co<T> coroutine) {
    return boost::asio::co_spawn(io_, std::move(coroutine), boost::asio::use_future);
  }
  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    return start(std::move(coroutine)).get();
  }

  // Runs `action` on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& action) {
    std::promise<void> done;
    base::post_to(executor(), [&] {
      action();
      done.set_value();
    });
    done.get_future().get();
  }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

}  // namespace orchion::node::networks::lab
