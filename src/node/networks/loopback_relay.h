#pragma once

// Carries what arrives on a socket of this machine to a container, or to another machine: for published ports where the
// kernel can't translate, on IPv6 addresses, ::1 first of all, and on 127.0.0.1 where the way leads off the machine.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/file.h"

namespace orchion::node::networks {

// Serves from start() until it is destroyed, which ends its connections too. The container sees the bridge's address
// as its client. At most 1024 connections, or UDP clients, at once; a UDP client is forgotten after a minute without
// a packet either way. One executor; not thread-safe.
class LoopbackRelay {
 public:
  struct Target {
    std::string address;  // of a container or machine, IPv4
    std::uint16_t port = 0;
  };

  // A new IPv4 socket of that type, not blocking, from which targets are reached.
  using MakeSocket = std::function<base::Result<base::UniqueFd>(int type)>;

  // Takes a bound socket. Without `make_socket` targets are reached from this process's own network.
  static base::Result<std::unique_ptr<LoopbackRelay>> start(base::Executor executor, base::UniqueFd socket, bool udp,
                                                            MakeSocket make_socket = {});
  virtual ~LoopbackRelay() = default;

  // New connections and clients go round these; with none they are closed at once.
  virtual base::Result<> set_targets(const std::vector<Target>& targets) = 0;
};

}  // namespace orchion::node::networks
