#pragma once

// Sockets that listen. Private to this folder.

#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "base/co.h"

namespace orchion::wire {

// kFailedPrecondition where the port is taken, kInvalidArgument where `host` is no address of this machine.
base::Result<boost::asio::ip::tcp::acceptor> open_tcp_acceptor(const base::Executor& executor, const std::string& host,
                                                               std::uint16_t port);

// Mode 0600 from its first moment. A dead socket file at `path` is replaced.
base::Result<boost::asio::local::stream_protocol::acceptor> open_unix_acceptor(const base::Executor& executor,
                                                                               const std::string& path);

}  // namespace orchion::wire
