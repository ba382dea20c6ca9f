// A TCP connection to a port of a running task, carried by a stream.

#include <array>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <sys/socket.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/notifier.h"
#include "base/timeout.h"
#include "core/jobs.h"
#include "node/agent/blocking.h"
#include "node/agent/running_process.h"
#include "node/agent/streams.h"
#include "node/networks/namespaces.h"

namespace orchion::node::agent {

namespace {

using boost::asio::ip::tcp;
using Address = boost::asio::ip::address;

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr auto kConnectLimit = std::chrono::seconds(5);
constexpr std::size_t kPieceBytes = 64u << 10;

struct Connection {
  explicit Connection(base::Executor executor) : socket(std::move(executor)) {}
  tcp::socket socket;
  bool read_ended = false;   // the task sends no more
  bool write_ended = false;  // the user sends no more
};

// Its loopback first, where most things listen too; then where others find it.
std::vector<Address> addresses_of(const v1::Task& task) {
  std::vector<Address> result{boost::asio::ip::make_address("127.0.0.1"), boost::asio::ip::make_address("::1")};
  for (const auto& each : task.spec().assignment().addresses()) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(each.address(), error);
    if (!error) result.push_back(address);
  }
  return result;
}

base::Co<> connect(std::shared_ptr<Connection> connection, tcp::endpoint endpoint) {
  const auto [error] = co_await connection->socket.async_connect(endpoint, kAwait);
  if (error) co_return base::fail_errno(error.value(), "cannot connect");
  co_return base::Result<>{};
}

// Until the user's side has ended both ways, or is gone.
base::Co<> carry_inward(std::shared_ptr<DataStream> from, std::shared_ptr<Connection> to) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await from->receive());
    if (!message) co_return base::fail(base::Code::kCancelled, "the user's end of the connection was closed");
    auto& input = *message->mutable_forward();
    if (input.input_case() == v1::ForwardInput::kData) {
      const auto [error, n] = co_await boost::asio::async_write(to->socket, boost::asio::buffer(input.data()), kAwait);
      if (error) co_return base::fail(base::Code::kUnavailable, "the task closed the connection");
    } else if (input.input_case() == v1::ForwardInput::kEnd && !to->write_ended) {
      boost::system::error_code ignored;
      to->socket.shutdown(tcp::socket::shutdown_send, ignored);
      to->write_ended = true;
      if (to->read_ended) co_return base::Result<>{};
    }
  }
}

base::Co<> carry_outward(std::shared_ptr<Connection> from, std::shared_ptr<DataStream> to) {
  while (!from->read_ended) {
    std::string piece(kPieceBytes, '\0');
    const auto [error, n] = co_await from->socket.async_read_some(boost::asio::buffer(piece), kAwait);
    if (error && error != boost::asio::error::eof)
      co_return base::fail(base::Code::kUnavailable, "the task closed the connection");
    v1::StreamFromAgent message;
    piece.resize(n);
    if (error) {
      from->read_ended = true;
      message.mutable_forward()->set_end(true);
    } else {
      message.mutable_forward()->set_data(std::move(piece));
    }
    CO_RETURN_IF_ERROR(co_await to->send(std::move(message)));
  }
  // The task says no more; it may still listen.
  if (!from->write_ended) CO_RETURN_IF_ERROR(co_await base::wait_for_ever());
  co_return base::Result<>{};
}

}  // namespace

base::Co<> StreamServer::forward(v1::NodeForward want, std::shared_ptr<DataStream> stream) {
  const auto* runner = parts_.tasks.find(want.task_uid());
  const v1::Task task = runner == nullptr ? v1::Task() : runner->assignment().task();
  CO_ASSIGN_OR_RETURN(auto found, co_await find_running_process(parts_.tasks, want.task_uid()));
  const auto process = std::make_shared<const files::Process>(std::move(found));
  auto connection = std::make_shared<Connection>(parts_.group.executor());
  bool connected = false;
  for (const auto& address : addresses_of(task)) {
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    auto job = [process, family] { return networks::make_socket_in(process->handle, family, SOCK_STREAM); };
    auto socket = co_await run_blocking(parts_.workers, std::move(job));
    if (!socket && socket.error().code == base::Code::kFailedPrecondition)
      co_return std::unexpected(std::move(socket).error());
    if (!socket) continue;  // a machine without IPv6
    connection->socket =
        tcp::socket(parts_.group.executor(), address.is_v4() ? tcp::v4() : tcp::v6(), socket->release());
    auto done = co_await base::with_timeout(parts_.clock, kConnectLimit, "connecting",
                                            connect(connection, {address, static_cast<std::uint16_t>(want.port())}));
    connected = done.has_value();
    if (connected) break;
  }
  if (!connected)
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("nothing listens on port {} of {}/{}", want.port(), task.meta().stack(),
                                     core::short_name(task.spec())));
  boost::system::error_code ignored;
  connection->socket.set_option(tcp::no_delay(true), ignored);
  v1::StreamFromAgent first;
  first.mutable_forward()->set_connected(true);
  CO_RETURN_IF_ERROR(co_await stream->send(std::move(first)));
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry_outward(connection, stream) || carry_inward(stream, connection));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
