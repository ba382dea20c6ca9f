#include "wire/raw_socket.h"

#include <sys/socket.h>

#include "wire/socket_io.h"

namespace orchion::wire {

namespace {

using boost::asio::generic::stream_protocol;
using boost::system::error_code;

constexpr std::size_t kPieceBytesMax = 16u << 10;

std::unexpected<base::Error> broke(const error_code& ec) {
  if (ec == boost::asio::error::operation_aborted)
    return base::fail(base::Code::kCancelled, "the request was cancelled");
  return base::fail(base::Code::kUnavailable, "the connection broke: " + ec.message());
}

// What waits holds the socket, so that destroying the stream meanwhile only closes it.
class RawSocket final : public RawStream {
 public:
  explicit RawSocket(Socket socket) : socket_(std::make_shared<Socket>(std::move(socket))) {}
  ~RawSocket() override {
    error_code ignored;
    socket_->close(ignored);
  }

  base::Co<std::optional<std::string>> read() override {
    const auto socket = socket_;
    Inbox inbox(kPieceBytesMax);
    const auto ec = co_await read_some(*socket, inbox);
    if (ec == boost::asio::error::eof) co_return std::optional<std::string>();
    if (ec) co_return broke(ec);
    co_return std::optional<std::string>(std::string(inbox.data()));
  }

  base::Co<> write(std::string bytes) override {
    const auto socket = socket_;
    const auto ec = co_await write_all(*socket, {bytes, {}, {}});
    if (ec) co_return broke(ec);
    co_return base::Result<>{};
  }

  void end() override {
    error_code ignored;
    socket_->shutdown(Socket::shutdown_send, ignored);
  }

 private:
  std::shared_ptr<Socket> socket_;
};

}  // namespace

base::Result<std::unique_ptr<RawStream>> open_raw_socket(const base::Executor& executor, base::UniqueFd connected) {
  int family = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(connected.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
    return base::fail_errno(errno, "cannot use the connection");
  Socket socket(executor);
  error_code ec;
  socket.assign(stream_protocol(family, 0), connected.get(), ec);
  if (!ec) connected.release();
  if (!ec) socket.non_blocking(true, ec);
  if (ec) return base::fail_errno(ec.value(), "cannot use the connection");
  return std::make_unique<RawSocket>(std::move(socket));
}

}  // namespace orchion::wire
