#include "wire/listening.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"

namespace orchion::wire {

namespace asio = boost::asio;
using asio::ip::tcp;
using base::Code;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

namespace {

std::unexpected<base::Error> cannot_listen(const std::string& where, const error_code& ec) {
  if (ec == asio::error::address_in_use) {
    return base::fail(Code::kFailedPrecondition,
                      where + " is taken by another program: stop it, or listen on another port");
  }
  if (ec == asio::error::access_denied) {
    return base::fail(Code::kPermissionDenied, "not allowed to listen on " + where + ": choose a port from 1024 up");
  }
  return base::fail(Code::kInvalidArgument,
                    "cannot listen on " + where + " (" + ec.message() + "): give an address of this machine");
}

base::Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return base::fail(Code::kInvalidArgument, "the socket's path " + path + " is longer than " +
                                                  std::to_string(sizeof(address.sun_path) - 1) +
                                                  " bytes: choose a shorter data folder");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Leaves nothing at `path`, unless somebody answers there or it is no socket.
base::Result<> clear_path(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return base::fail_errno(errno, "looking at " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return base::fail(Code::kFailedPrecondition, path + " is there and is no socket: move it away");
  }
  ASSIGN_OR_RETURN(const auto address, socket_address(path));
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return base::fail_errno(errno, "opening a socket");
  // EAGAIN: its queue is full, so somebody owns it.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN) {
    return base::fail(Code::kFailedPrecondition,
                      "another server answers on " + path + ": stop it, or choose another data folder");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return base::fail_errno(errno, "removing " + path);
  return {};
}

}  // namespace

base::Result<tcp::acceptor> open_tcp_acceptor(const base::Executor& executor, const std::string& host,
                                              std::uint16_t port) {
  error_code ec;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, ec);
  const std::string where = host + ":" + std::to_string(port);
  if (ec) return base::fail(Code::kInvalidArgument, "'" + host + "' is no IP address: write one, as in 127.0.0.1");
  tcp::acceptor acceptor(executor);
  const tcp::endpoint endpoint(address, port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return cannot_listen(where, ec);
  return acceptor;
}

base::Result<Local::acceptor> open_unix_acceptor(const base::Executor& executor, const std::string& path) {
  ASSIGN_OR_RETURN(const auto address, socket_address(path));
  RETURN_IF_ERROR(clear_path(path));
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno(errno, "opening a socket");
  // Linux gives the file the mode that the socket has when it is bound: there is no moment of wider access.
  if (::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return base::fail_errno(errno, "listening on " + path);
  }
  Local::acceptor acceptor(executor);
  error_code ec;
  acceptor.assign(Local(), fd.get(), ec);
  if (ec) return cannot_listen(path, ec);
  fd.release();
  return acceptor;
}

}  // namespace orchion::wire
