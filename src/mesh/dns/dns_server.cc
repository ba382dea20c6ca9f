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

#include "mesh/dns/forwarder.h"
#include "mesh/dns/query.h"
#include "mesh/dns/upstreams.h"

namespace orchion::mesh::dns {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr auto kConnectionIdleLimit = std::chrono::seconds(10);
constexpr int kPortTriesMax = 16;

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

// A gateway's bridge may come after the resolver, and go and come again.
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
  std::string asker;
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
  State(base::Executor on, const RecordTable& table, DnsServerOptions with)
      : executor(std::move(on)),
        records(&table),
        options(std::move(with)),
        resolv_conf("/etc/resolv.conf"),
        forwarder([this] { return upstreams(); }, {options.upstream_limit, options.forwards_max}) {}

  std::vector<Upstream> upstreams() {
    auto all = options.upstreams.empty() ? resolv_conf.upstreams() : upstreams_from(options.upstreams);
    // A resolver that asks itself would do so until the end of time.
    std::erase_if(all, [&](const Upstream& each) { return each.port == port && listeners.contains(each.address); });
    return all;
  }

  base::Result<> listen(const std::string& address);

  template <class Socket>
  base::Result<> open(Socket& socket, int type, error_code& failure) {
    const auto ipv4 = Socket::protocol_type::v4();
    if (!options.make_socket) {
      socket.open(ipv4, failure);
      return {};
    }
    ASSIGN_OR_RETURN(auto made, options.make_socket(type));
    socket.assign(ipv4, made.release(), failure);
    return {};
  }

  Handled handle(std::span<const std::uint8_t> message, const std::string& asker, Transport transport);
  asio::awaitable<void> serve_datagrams(std::shared_ptr<Listener> listener);
  asio::awaitable<void> relay_datagram(std::shared_ptr<Listener> listener, udp::endpoint asker, Bytes query);
  asio::awaitable<void> accept(std::shared_ptr<Listener> listener);
  asio::awaitable<void> serve_connection(std::shared_ptr<Connection> connection);
  asio::awaitable<bool> answer_once(std::shared_ptr<Connection> connection);
  asio::awaitable<void> watch_idle(std::shared_ptr<Connection> connection);

  base::Executor executor;
  const RecordTable* records;  // null once the server is gone
  DnsServerOptions options;
  ResolvConf resolv_conf;
  Forwarder forwarder;
  std::uint16_t port = 0;
  std::size_t turn = 0;
  std::map<std::string, std::shared_ptr<Listener>> listeners;
  std::set<std::shared_ptr<Connection>> connections;
};

base::Result<> DnsServer::State::listen(const std::string& address) {
  if (listeners.contains(address)) return {};
  error_code failure;
  const auto ip = asio::ip::make_address_v4(address, failure);
  if (failure) return base::fail(base::Code::kInvalidArgument, fmt::format("\"{}\" is not an IPv4 address", address));
  auto listener = std::make_shared<Listener>(executor);
  RETURN_IF_ERROR(open(listener->datagrams, SOCK_DGRAM, failure));
  if (!failure) allow_absent_address(listener->datagrams);
  if (!failure) listener->datagrams.bind(udp::endpoint(ip, port), failure);
  const std::uint16_t bound = failure ? port : listener->datagrams.local_endpoint().port();
  if (!failure) RETURN_IF_ERROR(open(listener->acceptor, SOCK_STREAM, failure));
  if (!failure) listener->acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) allow_absent_address(listener->acceptor);
  if (!failure) listener->acceptor.bind(tcp::endpoint(ip, bound), failure);
  if (!failure) listener->acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) {
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the resolver can't listen on {}:{}: {}", address, bound, failure.message()));
  }
  port = bound;
  listeners.emplace(address, listener);
  asio::co_spawn(executor, serve_datagrams(listener), asio::detached);
  asio::co_spawn(executor, accept(listener), asio::detached);
  return {};
}

Handled DnsServer::State::handle(std::span<const std::uint8_t> message, const std::string& asker, Transport transport) {
  if (records == nullptr) return {};
  return handle_query({message, asker, transport, turn++}, *records);
}

asio::awaitable<void> DnsServer::State::serve_datagrams(std::shared_ptr<Listener> listener) {
  const auto self = shared_from_this();
  Bytes buffer(4096);
  while (listener->datagrams.is_open()) {
    udp::endpoint from;
    const auto [failure, size] = co_await listener->datagrams.async_receive_from(asio::buffer(buffer), from, kToken);
    if (failure == asio::error::operation_aborted) co_return;
    if (failure) continue;
    const std::span message = std::span(buffer).first(size);
    Handled handled = handle(message, from.address().to_string(), Transport::kUdp);
    if (handled.action == Handled::Action::kReply) {
      co_await listener->datagrams.async_send_to(asio::buffer(handled.reply), from, kToken);
    } else if (handled.action == Handled::Action::kForward) {
      asio::co_spawn(executor, relay_datagram(listener, from, Bytes(message.begin(), message.end())), asio::detached);
    }
  }
}

asio::awaitable<void> DnsServer::State::relay_datagram(std::shared_ptr<Listener> listener, udp::endpoint asker,
                                                       Bytes query) {
  const auto self = shared_from_this();
  const Bytes reply = co_await forwarder.forward(std::move(query), Transport::kUdp);
  if (!reply.empty()) co_await listener->datagrams.async_send_to(asio::buffer(reply), asker, kToken);
}

asio::awaitable<void> DnsServer::State::accept(std::shared_ptr<Listener> listener) {
  const auto self = shared_from_this();
  while (listener->acceptor.is_open()) {
    auto [failure, socket] = co_await listener->acceptor.async_accept(kToken);
    if (failure == asio::error::operation_aborted) co_return;
    if (failure || connections.size() >= options.connections_max) continue;
    error_code gone;
    std::string asker = socket.remote_endpoint(gone).address().to_string();
    if (gone || records == nullptr || !records->knows(asker)) continue;
    auto connection = std::make_shared<Connection>(std::move(socket));
    connection->asker = std::move(asker);
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
  Handled handled = handle(query, connection->asker, Transport::kTcp);
  if (handled.action == Handled::Action::kForward) {
    handled.reply = co_await forwarder.forward(std::move(query), Transport::kTcp);
  }
  if (handled.reply.empty()) co_return false;
  length = {static_cast<std::uint8_t>(handled.reply.size() >> 8), static_cast<std::uint8_t>(handled.reply.size())};
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(length), asio::buffer(handled.reply)};
  const auto [write_failure, written] = co_await asio::async_write(connection->socket, parts, kToken);
  co_return !write_failure;
}

DnsServer::DnsServer(base::Executor executor, const RecordTable& records, DnsServerOptions options)
    : state_(std::make_shared<State>(std::move(executor), records, std::move(options))) {}

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
  const auto found = state_->listeners.find(address);
  if (found == state_->listeners.end()) return;
  found->second->close();
  state_->listeners.erase(found);
}

}  // namespace orchion::mesh::dns
