#include "mesh/dns/dns_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <map>
#include <set>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/timeout.h"
#include "mesh/dns/datagram_batch.h"
#include "mesh/dns/plain_query.h"
#include "mesh/dns/relay.h"
#include "mesh/dns/upstreams.h"

namespace orchion::mesh::dns {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr auto kConnectionIdleLimit = std::chrono::seconds(10);
constexpr auto kForwardedHookLimit = std::chrono::seconds(1);
constexpr int kPortTriesMax = 16;

// Of full batches, before others on the loop have their turn.
constexpr int kBatchesInARow = 4;

// The sockets of one address. Coroutines hold it; closing it ends them.
struct Listener {
  Listener(const base::Executor& executor) : datagrams(executor), acceptor(executor) {}
  void close() {
    error_code ignored;
    datagrams.close(ignored);
    acceptor.close(ignored);
  }
  udp::socket datagrams;
  tcp::acceptor acceptor;
};

// A gateway may come after the resolver, and go and come again.
template <class Socket>
void allow_absent_address(Socket& socket) {
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
}

// One client by TCP. Closed when it says nothing for too long.
struct Connection {
  explicit Connection(tcp::socket accepted) : socket(std::move(accepted)), idle(socket.get_executor()) {}
  void close() {
    error_code ignored;
    socket.close(ignored);
    idle.cancel();
  }
  tcp::socket socket;
  asio::steady_timer idle;
  Address asker;
};

std::vector<Upstream> upstreams_from(const std::vector<std::string>& texts) {
  std::vector<Upstream> upstreams;
  for (const auto& text : texts) {
    const auto colon = text.find(':');
    if (colon == std::string::npos || text.find(':', colon + 1) != std::string::npos) {
      upstreams.push_back({text});
    } else {
      upstreams.push_back({text.substr(0, colon), static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1))});
    }
  }
  return upstreams;
}

}  // namespace

struct DnsServer::State : std::enable_shared_from_this<DnsServer::State> {
  State(base::Executor on, base::Clock& with_clock, const RecordTable& table, DnsServerOptions with)
      : executor(std::move(on)),
        clock(with_clock),
        records(&table),
        options(std::move(with)),
        resolv_conf("/etc/resolv.conf"),
        relay(executor, clock,
              Forwarder([this] { return upstreams(); }, {options.upstream_limit, options.forwards_max}),
              options.cache) {}

  std::vector<Upstream> upstreams() {
    auto all = options.upstreams.empty() ? resolv_conf.upstreams() : upstreams_from(options.upstreams);
    // A resolver that asks itself would do so until the end of time.
    std::erase_if(all, [&](const Upstream& each) {
      error_code bad;
      return each.port == port && listeners.contains(asio::ip::make_address(each.address, bad));
    });
    return all;
  }

  base::Result<> listen(const std::string& address);

  template <class Socket>
  base::Result<> open(Socket& socket, int type, error_code& failure) {
    const auto family = Socket::protocol_type::v4();
    if (options.make_socket) {
      ASSIGN_OR_RETURN(auto made, options.make_socket(type));
      socket.assign(family, made.release(), failure);
    } else {
      socket.open(family, failure);
    }
    if (!failure) allow_absent_address(socket);
    return {};
  }

  asio::awaitable<void> serve_datagrams(std::shared_ptr<Listener> listener);
  bool serve_batch(const std::shared_ptr<Listener>& listener);
  void serve_datagram(const std::shared_ptr<Listener>& listener, std::size_t index);
  asio::awaitable<void> relay_datagram(std::shared_ptr<Listener> listener, udp::endpoint asker, Bytes query);
  asio::awaitable<Bytes> ask_elsewhere(Bytes query, Address asker, Transport transport);
  asio::awaitable<void> tell(Address asker, Bytes reply);
  asio::awaitable<void> accept(std::shared_ptr<Listener> listener);
  asio::awaitable<void> serve_connection(std::shared_ptr<Connection> connection);
  asio::awaitable<bool> answer_once(std::shared_ptr<Connection> connection);
  asio::awaitable<void> watch_idle(std::shared_ptr<Connection> connection);

  base::Executor executor;
  base::Clock& clock;
  const RecordTable* records;  // null once the server is gone
  DnsServerOptions options;
  ResolvConf resolv_conf;
  Relay relay;
  DatagramBatch batch;  // nobody keeps anything in it while others run
  std::uint16_t port = 0;
  std::size_t turn = 0;
  std::size_t waiting = 0;  // datagrams
  std::map<Address, std::shared_ptr<Listener>> listeners;
  std::set<std::shared_ptr<Connection>> connections;
};

base::Result<> DnsServer::State::listen(const std::string& address) {
  error_code failure;
  const Address ip = asio::ip::make_address_v4(address, failure);
  if (failure) return base::fail(base::Code::kInvalidArgument, fmt::format("\"{}\" is not an IPv4 address", address));
  if (listeners.contains(ip)) return {};
  auto listener = std::make_shared<Listener>(executor);
  RETURN_IF_ERROR(open(listener->datagrams, SOCK_DGRAM, failure));
  if (!failure) listener->datagrams.bind(udp::endpoint(ip, port), failure);
  const std::uint16_t bound = failure ? port : listener->datagrams.local_endpoint().port();
  if (!failure) RETURN_IF_ERROR(open(listener->acceptor, SOCK_STREAM, failure));
  if (!failure) listener->acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) listener->acceptor.bind(tcp::endpoint(ip, bound), failure);
  if (!failure) listener->acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) {
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the resolver can't listen on {} port {}: {}", address, bound, failure.message()));
  }
  port = bound;
  listeners.emplace(ip, listener);
  asio::co_spawn(executor, serve_datagrams(listener), asio::detached);
  asio::co_spawn(executor, accept(listener), asio::detached);
  return {};
}

asio::awaitable<void> DnsServer::State::serve_datagrams(std::shared_ptr<Listener> listener) {
  const auto self = shared_from_this();
  while (listener->datagrams.is_open()) {
    const auto [failure] = co_await listener->datagrams.async_wait(udp::socket::wait_read, kToken);
    if (failure == asio::error::operation_aborted) co_return;
    for (int batches = 0; batches < kBatchesInARow && listener->datagrams.is_open(); ++batches) {
      if (!serve_batch(listener)) break;
    }
  }
}

// Whether there may be more already.
bool DnsServer::State::serve_batch(const std::shared_ptr<Listener>& listener) {
  const int socket = listener->datagrams.native_handle();
  const std::size_t count = batch.receive(socket);
  if (records == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) serve_datagram(listener, i);
  batch.send(socket);
  return count == DatagramBatch::kDatagramsMax;
}

void DnsServer::State::serve_datagram(const std::shared_ptr<Listener>& listener, std::size_t index) {
  const wire::View message = batch.message(index);
  const udp::endpoint from = batch.from(index);
  const Query query{message, from.address(), Transport::kUdp, turn++};
  Bytes& reply = batch.reply(index);
  auto action = handle_plainly(query, *records, reply);
  if (!action) {
    Handled handled = handle_by_ldns(query, *records);
    action = handled.action;
    reply = std::move(handled.reply);
  }
  if (action != Handled::Action::kForward) return;
  if (!options.on_forwarded) {
    if (auto known = relay.find(message, Transport::kUdp)) {
      reply = std::move(*known);
      return;
    }
  }
  if (waiting >= options.waiting_max) {
    reply = server_failure(message);
    return;
  }
  ++waiting;
  asio::co_spawn(executor, relay_datagram(listener, from, Bytes(message.begin(), message.end())), asio::detached);
}

asio::awaitable<void> DnsServer::State::relay_datagram(std::shared_ptr<Listener> listener, udp::endpoint asker,
                                                       Bytes query) {
  const auto self = shared_from_this();
  const Bytes reply = co_await ask_elsewhere(std::move(query), asker.address(), Transport::kUdp);
  --waiting;
  if (!reply.empty()) co_await listener->datagrams.async_send_to(asio::buffer(reply), asker, kToken);
}

asio::awaitable<Bytes> DnsServer::State::ask_elsewhere(Bytes query, Address asker, Transport transport) {
  Bytes reply = co_await relay.ask(std::move(query), transport);
  if (options.on_forwarded && records != nullptr) co_await tell(asker, reply);
  co_return reply;
}

asio::awaitable<void> DnsServer::State::tell(Address asker, Bytes reply) {
  const ForwardedAddresses found = addresses_in(reply);
  if (found.addresses.empty()) co_return;
  auto heard = options.on_forwarded(asker.to_string(), question_name(reply), found.addresses, found.ttl);
  if (!heard) co_return;
  co_await base::with_timeout(clock, kForwardedHookLimit, "what an answer is told to", std::move(*heard));
}

asio::awaitable<void> DnsServer::State::accept(std::shared_ptr<Listener> listener) {
  const auto self = shared_from_this();
  while (listener->acceptor.is_open()) {
    auto [failure, socket] = co_await listener->acceptor.async_accept(kToken);
    if (failure == asio::error::operation_aborted) co_return;
    if (failure || connections.size() >= options.connections_max) continue;
    error_code gone;
    const Address asker = socket.remote_endpoint(gone).address();
    if (gone || records == nullptr || !records->knows(asker)) continue;
    auto connection = std::make_shared<Connection>(std::move(socket));
    connection->asker = asker;
    connection->idle.expires_after(kConnectionIdleLimit);
    connections.insert(connection);
    asio::co_spawn(executor, watch_idle(connection), asio::detached);
    asio::co_spawn(executor, serve_connection(connection), asio::detached);
  }
}

asio::awaitable<void> DnsServer::State::watch_idle(std::shared_ptr<Connection> connection) {
  while (connection->socket.is_open()) {
    co_await connection->idle.async_wait(kToken);
    if (connection->idle.expiry() <= std::chrono::steady_clock::now()) connection->close();
  }
}

asio::awaitable<void> DnsServer::State::serve_connection(std::shared_ptr<Connection> connection) {
  const auto self = shared_from_this();
  while (co_await answer_once(connection)) connection->idle.expires_after(kConnectionIdleLimit);
  connection->close();
  connections.erase(connection);
}

asio::awaitable<bool> DnsServer::State::answer_once(std::shared_ptr<Connection> connection) {
  std::array<std::uint8_t, 2> length{};
  const auto [length_failure, read] = co_await asio::async_read(connection->socket, asio::buffer(length), kToken);
  if (length_failure) co_return false;
  Bytes query(static_cast<std::size_t>(length[0] << 8 | length[1]));
  const auto [query_failure, got] = co_await asio::async_read(connection->socket, asio::buffer(query), kToken);
  if (query_failure) co_return false;
  if (records == nullptr) co_return false;
  Handled handled = handle_query({query, connection->asker, Transport::kTcp, turn++}, *records);
  if (handled.action == Handled::Action::kForward) {
    handled.reply = co_await ask_elsewhere(std::move(query), connection->asker, Transport::kTcp);
  }
  if (handled.reply.empty()) co_return false;
  length = {static_cast<std::uint8_t>(handled.reply.size() >> 8), static_cast<std::uint8_t>(handled.reply.size())};
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(length), asio::buffer(handled.reply)};
  const auto [write_failure, written] = co_await asio::async_write(connection->socket, parts, kToken);
  co_return !write_failure;
}

DnsServer::DnsServer(base::Executor executor, base::Clock& clock, const RecordTable& records, DnsServerOptions options)
    : state_(std::make_shared<State>(std::move(executor), clock, records, std::move(options))) {}

DnsServer::~DnsServer() {
  state_->records = nullptr;
  for (const auto& [address, listener] : state_->listeners) listener->close();
  for (const auto& connection : state_->connections) connection->close();
}

base::Result<> DnsServer::start() {
  state_->port = state_->options.port;
  base::Result<> done = state_->listen(state_->options.address);
  // A port that is free for one transport may be taken for the other.
  for (int tries = 1; !done && state_->options.port == 0 && tries < kPortTriesMax; ++tries) {
    done = state_->listen(state_->options.address);
  }
  return done;
}

std::uint16_t DnsServer::port() const {
  return state_->port;
}

base::Result<> DnsServer::add_address(const std::string& address) {
  return state_->listen(address);
}

void DnsServer::remove_address(const std::string& address) {
  error_code bad;
  const auto found = state_->listeners.find(asio::ip::make_address(address, bad));
  if (found == state_->listeners.end()) return;
  found->second->close();
  state_->listeners.erase(found);
}

}  // namespace orchion::mesh::dns
