#pragma once

// For this folder's tests: an event loop in a thread, and a client that sends what bytes it likes.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/file.h"
#include "base/random.h"

namespace orchion::wire::testing {

class LoopThread {
 public:
  LoopThread() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~LoopThread() {
    guard_.reset();
    context_.stop();
    thread_.join();
  }

  base::Executor executor() { return context_.get_executor(); }

  // Runs it on the loop and waits for its end.
  template <class T>
  T run(boost::asio::awaitable<T> coroutine) {
    return boost::asio::co_spawn(context_, std::move(coroutine), boost::asio::use_future).get();
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

class TempFolder {
 public:
  TempFolder() : path_(std::filesystem::temp_directory_path() / ("wire-" + base::Random::from_system().text(8))) {
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Blocking, with a bound on each wait.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  void send(std::string_view bytes) { (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void shutdown_send() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }

  // What comes until `end` was seen; until the server closes where `end` is empty.
  std::string read_until(std::string_view end) {
    while (end.empty() || got_.find(end) == std::string::npos) {
      pollfd waiting{fd_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 10'000) != 1) return got_ + " [timed out]";
      char buffer[4096];
      const auto count = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
      if (count <= 0) break;
      got_.append(buffer, static_cast<std::size_t>(count));
    }
    const auto at = end.empty() ? got_.size() : got_.find(end);
    const auto length = at == std::string::npos ? got_.size() : at + end.size();
    std::string out = got_.substr(0, length);
    got_.erase(0, length);
    return out;
  }
  std::string read_all() { return read_until(""); }

 private:
  base::UniqueFd fd_;
  bool connected_ = false;
  std::string got_;
};

}  // namespace orchion::wire::testing
