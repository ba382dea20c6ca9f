#include "wire/http_server.h"

#include <algorithm>
#include <list>
#include <unordered_map>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "base/notifier.h"
#include "base/task_group.h"
#include "base/timeout.h"
#include "wire/http_connection.h"
#include "wire/listening.h"

namespace orchion::wire {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

namespace {

// Accepting fails while the process is out of descriptors: wait for some to come back.
constexpr base::Duration kAcceptRetry = std::chrono::milliseconds(100);

std::string peer_of(tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) return "unknown";
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

std::string peer_of(Local::socket& socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return "unknown";
  return "uid " + std::to_string(credentials.uid);
}

void set_up(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
}
void set_up(Local::socket&) {}

constexpr Transport transport_of(const tcp::acceptor&) {
  return Transport::kTcp;
}
constexpr Transport transport_of(const Local::acceptor&) {
  return Transport::kUnix;
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<State> {
  State(base::Executor e, Handler h, HttpServerOptions o)
      : executor(e), handler(std::move(h)), options(o), accepting(e), changed(e), sweeper(e) {}

  template <class Acceptor>
  base::Co<> accept(std::shared_ptr<Acceptor> acceptor);
  void start(Socket socket, Transport transport, std::string peer);
  void sweep();

  // Often enough that a limit is kept within a quarter of itself.
  base::Duration sweep_interval() const {
    const auto shortest = std::min({options.header_limit, options.idle_limit, options.stall_limit});
    return std::clamp<base::Duration>(shortest / 4, std::chrono::milliseconds(10), std::chrono::seconds(4));
  }

  base::Co<> wait_until_empty() {
    while (!connections.empty()) CO_RETURN_IF_ERROR(co_await changed.wait());
    co_return base::Result<>{};
  }

  base::Executor executor;
  Handler handler;
  HttpServerOptions options;
  base::SystemClock clock;
  base::TaskGroup accepting;
  base::Notifier changed;  // a connection has ended
  asio::steady_timer sweeper;
  bool sweeping = false;
  bool stopping = false;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  std::vector<std::shared_ptr<tcp::acceptor>> tcp_acceptors;
  std::vector<std::shared_ptr<Local::acceptor>> unix_acceptors;
  std::vector<std::string> socket_files;
};

template <class Acceptor>
base::Co<> HttpServer::State::accept(std::shared_ptr<Acceptor> acceptor) {
  using Peer = typename Acceptor::protocol_type::socket;
  while (acceptor->is_open()) {
    while (connections.size() >= options.connections_max) CO_RETURN_IF_ERROR(co_await changed.wait());
    Peer socket(executor);
    const auto [ec] = co_await acceptor->async_accept(socket, kAwait);
    if (ec == asio::error::operation_aborted) break;
    if (ec) {
      if (ec != asio::error::connection_aborted) {
        base::log::warn("cannot accept a connection: {}", ec.message());
        CO_RETURN_IF_ERROR(co_await clock.sleep(kAcceptRetry));
      }
      continue;
    }
    set_up(socket);
    auto peer = peer_of(socket);
    start(Socket(std::move(socket)), transport_of(*acceptor), std::move(peer));
  }
  co_return base::Result<>{};
}

void HttpServer::State::start(Socket socket, Transport transport, std::string peer) {
  error_code ec;
  socket.non_blocking(true, ec);
  if (ec || stopping) return;
  auto connection = std::make_shared<Connection>(std::move(socket), transport, std::move(peer), handler, options);
  connections.emplace(connection.get(), connection);
  auto ended = [self = shared_from_this(), connection](std::exception_ptr) {
    connection->drop();
    // Its cancellation slot is still in use by the operation that is completing: let it go afterwards.
    asio::post(self->executor, [self, connection] {
      self->connections.erase(connection.get());
      self->changed.notify();
    });
  };
  asio::co_spawn(executor, connection->run(),
                 asio::bind_cancellation_slot(connection->signal().slot(), std::move(ended)));
  if (!sweeping) sweep();
}

// One timer for all connections, and none while there is no connection.
void HttpServer::State::sweep() {
  sweeping = !connections.empty();
  if (!sweeping) return;
  sweeper.expires_after(sweep_interval());
  sweeper.async_wait([weak = weak_from_this()](const error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    const auto now = self->clock.now();
    for (auto& [key, connection] : self->connections) connection->check(now);
    self->sweep();
  });
}

HttpServer::HttpServer(base::Executor executor, Handler handler, HttpServerOptions options)
    : state_(std::make_shared<State>(std::move(executor), std::move(handler), options)) {}

HttpServer::~HttpServer() = default;

base::Result<std::uint16_t> HttpServer::listen_tcp(const std::string& host, std::uint16_t port) {
  ASSIGN_OR_RETURN(auto opened, open_tcp_acceptor(state_->executor, host, port));
  auto acceptor = std::make_shared<tcp::acceptor>(std::move(opened));
  const auto bound = acceptor->local_endpoint().port();
  state_->tcp_acceptors.push_back(acceptor);
  state_->accepting.spawn("accepting on " + host + ":" + std::to_string(bound), state_->accept(acceptor));
  return bound;
}

base::Result<> HttpServer::listen_unix(const std::string& path) {
  ASSIGN_OR_RETURN(auto opened, open_unix_acceptor(state_->executor, path));
  auto acceptor = std::make_shared<Local::acceptor>(std::move(opened));
  state_->unix_acceptors.push_back(acceptor);
  state_->socket_files.push_back(path);
  state_->accepting.spawn("accepting on " + path, state_->accept(acceptor));
  return {};
}

base::Co<> HttpServer::shutdown(base::Duration grace) {
  const auto state = state_;
  state->stopping = true;
  for (const auto& path : state->socket_files) ::unlink(path.c_str());
  CO_RETURN_IF_ERROR(co_await state->accepting.shutdown());
  state->tcp_acceptors.clear();
  state->unix_acceptors.clear();
  for (auto& [key, connection] : state->connections) connection->stop_when_idle();
  if (!state->connections.empty() && grace > base::Duration::zero()) {
    (void)co_await base::with_timeout(state->clock, grace, "the last requests", state->wait_until_empty());
  }
  while (!state->connections.empty()) {
    // Again after each end: a handler may have been between two waits when the signal came.
    for (auto& [key, connection] : state->connections) connection->abort();
    CO_RETURN_IF_ERROR(co_await state->changed.wait());
  }
  state->sweeper.cancel();
  co_return base::Result<>{};
}

}  // namespace orchion::wire
