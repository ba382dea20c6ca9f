#pragma once

// For this room's tests: a way to a server on loopback that cuts connections, or lets them stall, once they have
// carried so many bytes of answers.

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "node/images/registry_lab.h"

namespace orchion::node::images {

class BrokenProxy {
 public:
  enum class Fault { kCut, kStall };

  struct Options {
    int server_port = 0;
    Fault fault = Fault::kCut;
    std::size_t bytes_max = 0;  // of one connection's answers
    int faults = 0;             // then all goes through
  };

  explicit BrokenProxy(Options options) : options_(options), faults_left_(options.faults) {
    listener_ = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, length) != 0 || ::listen(listener_.get(), 64) != 0 ||
        ::getsockname(listener_.get(), generic, &length) != 0)
      throw std::runtime_error("no port for the proxy");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~BrokenProxy() {
    ended_ = true;
    acceptor_.join();
    for (auto& connection : connections_) connection.join();
  }
  BrokenProxy(const BrokenProxy&) = delete;
  BrokenProxy& operator=(const BrokenProxy&) = delete;

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  int faults() const { return options_.faults - std::max(0, faults_left_.load()); }

 private:
  static constexpr int kLookMs = 20;  // at `ended_`

  void accept_all() {
    while (!ended_) {
      pollfd waiting{listener_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, kLookMs) <= 0) continue;
      base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client) connections_.emplace_back([this, fd = client.release()] { carry(base::UniqueFd(fd)); });
    }
  }

  void carry(base::UniqueFd client) {
    base::UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(options_.server_port);
    if (::connect(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    std::size_t answered = 0;
    bool stalled = options_.fault == Fault::kStall && options_.bytes_max == 0;
    while (!ended_) {
      pollfd fds[] = {{client.get(), POLLIN, 0}, {stalled ? -1 : server.get(), POLLIN, 0}};
      if (::poll(fds, 2, kLookMs) <= 0) continue;
      if (fds[0].revents != 0 && move(client, server) == 0) return;
      if (fds[1].revents == 0) continue;
      const auto moved = move(server, client);
      if (moved == 0) return;
      answered += moved;
      if (stalled || answered < options_.bytes_max || faults_left_.fetch_sub(1) <= 0) continue;
      if (options_.fault == Fault::kCut) return;
      stalled = true;
    }
  }

  // 0: the end.
  static std::size_t move(const base::UniqueFd& from, const base::UniqueFd& to) {
    char buffer[16384];
    const auto n = ::read(from.get(), buffer, sizeof buffer);
    if (n <= 0) return 0;
    for (ssize_t at = 0; at < n;) {
      const auto sent = ::send(to.get(), buffer + at, static_cast<std::size_t>(n - at), MSG_NOSIGNAL);
      if (sent <= 0) return 0;
      at += sent;
    }
    return static_cast<std::size_t>(n);
  }

  const Options options_;
  std::atomic<int> faults_left_;
  std::atomic<bool> ended_ = false;
  base::UniqueFd listener_;
  int port_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> connections_;  // the acceptor's
};

}  // namespace orchion::node::images
