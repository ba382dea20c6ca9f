#include "node/runtimes/engine/gate_door.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/timeout.h"
#include "node/shim/gate/gate.h"

namespace orchion::node::runtimes::engine {

namespace {

namespace asio = boost::asio;
using base::Co;
using base::Code;
using base::Result;

Co<> wait_readable(asio::posix::stream_descriptor& descriptor) {
  boost::system::error_code failed;
  co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return base::fail(Code::kCancelled, "the wait for the container's gate was interrupted");
  co_return Result<>{};
}

base::Error program_failure(int error_number, const std::string& program) {
  const char* reason = std::strerror(error_number);
  if (error_number == ENOENT || error_number == ENOTDIR)
    return {Code::kNotFound,
            fmt::format("the command {} does not exist in the image: name one that does ({})", program, reason),
            {}};
  if (error_number == EACCES || error_number == EPERM || error_number == EISDIR || error_number == ENOEXEC)
    return {Code::kPermissionDenied,
            fmt::format("the command {} is not executable in the image: set its mode, or name another ({})", program,
                        reason),
            {}};
  return {Code::kInternal, fmt::format("the command {} could not be run: {}", program, reason), {}};
}

}  // namespace

bool is_waiting_gate(std::int64_t pid) {
  const auto comm = base::read_file(fmt::format("/proc/{}/comm", pid));
  return comm && *comm == std::string(shim::kGateComm) + "\n";
}

WaitingGate::WaitingGate(base::Executor executor, base::UniqueFd connection, std::int64_t pid)
    : connection_(std::move(executor), connection.release()), pid_(pid) {}

// 0 where the program runs.
Co<int> WaitingGate::read_failure() {
  int failure = 0;
  while (true) {
    CO_RETURN_IF_ERROR(co_await wait_readable(connection_));
    const auto n = ::read(connection_.native_handle(), &failure, sizeof failure);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    co_return n == sizeof failure ? failure : 0;
  }
}

Co<> WaitingGate::go(base::Clock& clock, base::Duration limit, std::string program) {
  if (::send(connection_.native_handle(), &shim::kGateGo, 1, MSG_NOSIGNAL) != 1)
    co_return base::fail(Code::kAborted, "the container ended before its program began: see whether it was killed");
  CO_ASSIGN_OR_RETURN(const int failure,
                      co_await base::with_timeout(clock, limit, "running " + program, read_failure()));
  if (failure == 0) co_return Result<>{};
  co_return std::unexpected(program_failure(failure, program));
}

void WaitingGate::dismiss() {
  (void)!::send(connection_.native_handle(), &shim::kGateLeave, 1, MSG_NOSIGNAL);
}

Result<std::unique_ptr<GateDoor>> GateDoor::open(base::Executor executor, const std::filesystem::path& folder,
                                                 std::string name) {
  base::UniqueFd at(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return base::fail_errno(errno, fmt::format("cannot open {}", folder.string()));
  base::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return base::fail_errno(errno, "cannot make a socket");
  ::unlinkat(at.get(), name.c_str(), 0);  // of a process that was killed
  // By way of the descriptor: a socket's path is short, a data folder's may be long.
  const auto path = fmt::format("/proc/self/fd/{}/{}", at.get(), name);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return base::fail(Code::kInternal, "the name of a gate is too long");
  path.copy(address.sun_path, path.size());
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::fchmodat(at.get(), name.c_str(), 0666, 0) != 0 || ::listen(listener.get(), 1) != 0)
    return base::fail_errno(errno, fmt::format("cannot listen in {}", folder.string()));
  auto door = std::unique_ptr<GateDoor>(new GateDoor(std::move(executor), std::move(at), std::move(name)));
  door->listener_.assign(listener.release());
  return door;
}

GateDoor::GateDoor(base::Executor executor, base::UniqueFd folder, std::string name)
    : listener_(std::move(executor)), folder_(std::move(folder)), name_(std::move(name)) {}

GateDoor::~GateDoor() {
  ::unlinkat(folder_.get(), name_.c_str(), 0);
}

Co<std::unique_ptr<WaitingGate>> GateDoor::accept_one() {
  while (true) {
    CO_RETURN_IF_ERROR(co_await wait_readable(listener_));
    base::UniqueFd connection(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) continue;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) continue;
    co_return std::make_unique<WaitingGate>(listener_.get_executor(), std::move(connection), peer.pid);
  }
}

Co<std::unique_ptr<WaitingGate>> GateDoor::accept(base::Clock& clock, base::Duration limit) {
  co_return co_await base::with_timeout(clock, limit, "the container's first program", accept_one());
}

}  // namespace orchion::node::runtimes::engine
