#include <cerrno>

#include <fmt/core.h>
#include <sys/socket.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "node/probes/ways.h"

namespace orchion::node::probes {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);

struct Attempt {
  base::UniqueFd socket;  // set where somebody took the connection
  std::string why_not;
};

base::Co<Attempt> try_address(Target::MakeSocket make_socket, tcp::endpoint endpoint) {
  const bool is_v4 = endpoint.address().is_v4();
  CO_ASSIGN_OR_RETURN(auto made, co_await make_socket(is_v4 ? AF_INET : AF_INET6));
  tcp::socket socket(co_await boost::asio::this_coro::executor, endpoint.protocol(), made.release());
  const auto [failed] = co_await socket.async_connect(endpoint, kAwait);
  if (failed == boost::asio::error::operation_aborted)
    co_return base::fail(base::Code::kCancelled, "the check was cancelled");
  Attempt attempt;
  if (failed) {
    attempt.why_not = failed.message();
    co_return attempt;
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  attempt.socket.reset(socket.release(ignored));
  co_return attempt;
}

}  // namespace

base::Co<base::UniqueFd> connect(Target target, std::uint16_t port) {
  std::string why_not = "it has no address";
  for (const auto& text : target.addresses) {
    error_code error;
    const auto address = boost::asio::ip::make_address(text, error);
    if (error) continue;
    auto attempt = co_await try_address(target.make_socket, {address, port});
    // A machine without IPv6 has no such sockets.
    if (!attempt && address.is_v6() && attempt.error().code != base::Code::kCancelled) continue;
    if (!attempt) co_return std::unexpected(attempt.error());
    if (attempt->socket) co_return std::move(attempt->socket);
    if (!address.is_v6() || !address.is_loopback()) why_not = std::move(attempt->why_not);
  }
  co_return base::fail(base::Code::kUnavailable,
                       fmt::format("nothing takes connections on port {}: {}", port, why_not));
}

}  // namespace orchion::node::probes
