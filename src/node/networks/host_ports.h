#pragma once

// Ports of the machine itself: holding one, and finding out who has it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace orchion::node::networks {

struct HostPort {
  std::string host_ip;  // IPv4 or IPv6; empty: every IPv4 address
  std::uint16_t port = 0;
  bool udp = false;
};

// "8080/tcp", "127.0.0.1:8080/tcp".
std::string to_string(const HostPort& port);

// Binds the port for as long as the descriptor lives, so that no other program takes it and a listing of sockets
// shows whose it is. Nothing listens there: translated packets never reach it. kFailedPrecondition: it is taken, and
// by whom where that can be found. kUnimplemented: no IPv6 on this machine.
base::Result<base::UniqueFd> hold_port(const HostPort& port);

// The socket of /proc/net/{tcp,tcp6,udp,udp6} that has `port` as its own: one that listens if there is one. Pure.
std::optional<std::uint64_t> find_socket_inode(std::string_view proc_net, std::uint16_t port);

}  // namespace orchion::node::networks
