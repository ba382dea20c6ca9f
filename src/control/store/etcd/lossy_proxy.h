#pragma once

// For tests: a TCP proxy on loopback that can lose one direction, silently.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::control::store {

class LossyProxy {
 public:
  enum class Loses { kNothing, kQuestions, kAnswers };

  explicit LossyProxy(int target_port) : target_port_(target_port), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~LossyProxy() {
    stopping_ = true;
    thread_.join();
  }
  LossyProxy(const LossyProxy&) = delete;
  LossyProxy& operator=(const LossyProxy&) = delete;

  int port() const { return port_; }

  // From now on, of all connections: swallowed, while the connections stay.
  void lose(Loses what) { loses_ = what; }

 private:
  struct Connection {
    base::UniqueFd client;
    base::UniqueFd target;
  };

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void serve() {
    while (!stopping_) {
      std::vector<pollfd> waiting = {{listener_.get(), POLLIN, 0}};
      for (const auto& connection : connections_) {
        waiting.push_back({connection.client.get(), POLLIN, 0});
        waiting.push_back({connection.target.get(), POLLIN, 0});
      }
      if (::poll(waiting.data(), waiting.size(), 20) <= 0) continue;
      std::vector<Connection> alive;
      for (std::size_t i = 0; i < connections_.size(); ++i) {
        auto& connection = connections_[i];
        const bool up = pass(waiting[2 * i + 1], connection.target, Loses::kQuestions);
        const bool down = pass(waiting[2 * i + 2], connection.client, Loses::kAnswers);
        if (up && down) alive.push_back(std::move(connection));
      }
      connections_ = std::move(alive);
      if (waiting[0].revents != 0) accept();
    }
  }

  void accept() {
    Connection connection{base::UniqueFd(::accept(listener_.get(), nullptr, nullptr)),
                          base::UniqueFd(::socket(AF_INET, SOCK_STREAM, 0))};
    const auto address = loopback(target_port_);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(connection.target.get(), generic, sizeof address) == 0) connections_.push_back(std::move(connection));
  }

  // False: that side is gone.
  bool pass(const pollfd& from, const base::UniqueFd& to, Loses direction) {
    if (from.revents == 0) return true;
    char buffer[1 << 16];
    const auto count = ::read(from.fd, buffer, sizeof buffer);
    if (count <= 0) return false;
    if (loses_ == direction) return true;
    for (ssize_t sent = 0; sent < count;) {
      const auto more = ::send(to.get(), buffer + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
      if (more <= 0) return false;
      sent += more;
    }
    return true;
  }

  const int target_port_;
  base::UniqueFd listener_;
  int port_ = 0;
  std::atomic<Loses> loses_ = Loses::kNothing;
  std::atomic<bool> stopping_ = false;
  std::vector<Connection> connections_;  // of the thread
  std::thread thread_;
};

}  // namespace orchion::control::store
