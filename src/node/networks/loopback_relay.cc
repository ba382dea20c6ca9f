#include "node/networks/loopback_relay.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace orchion::node::networks {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kClientsMax = 1024;
constexpr auto kIdleLimit = std::chrono::seconds(60);

// Goes round the targets.
template <class Endpoint>
class Targets {
 public:
  base::Result<> set(const std::vector<LoopbackRelay::Target>& targets) {
    std::vector<Endpoint> endpoints;
    for (const auto& target : targets) {
      error_code failure;
      const auto address = asio::ip::make_address_v4(target.address, failure);
      if (failure) return base::fail(base::Code::kInvalidArgument, "\"" + target.address + "\" is not an IPv4 address");
      endpoints.emplace_back(address, target.port);
    }
    endpoints_ = std::move(endpoints);
    return {};
  }
  std::optional<Endpoint> next() {
    if (endpoints_.empty()) return std::nullopt;
    return endpoints_[turn_++ % endpoints_.size()];
  }

 private:
  std::vector<Endpoint> endpoints_;
  std::size_t turn_ = 0;
};

// What the coroutines of one relay share: they hold it, the relay only closes it.
struct TcpState {
  struct Connection {
    explicit Connection(tcp::socket accepted) : client(std::move(accepted)), task(client.get_executor()) {}
    void close() {
      error_code ignored;
      client.close(ignored);
      task.close(ignored);
    }
    tcp::socket client;
    tcp::socket task;
  };

  TcpState(const base::Executor& executor, LoopbackRelay::MakeSocket make)
      : acceptor(executor), make_socket(std::move(make)) {}

  // False where it can't be had; without a maker it is opened as it connects.
  bool open(tcp::socket& socket) const {
    if (!make_socket) return true;
    auto made = make_socket(SOCK_STREAM);
    if (made) socket.assign(tcp::v4(), made->release());
    return made.has_value();
  }

  tcp::acceptor acceptor;
  LoopbackRelay::MakeSocket make_socket;
  Targets<tcp::endpoint> targets;
  std::set<std::shared_ptr<Connection>> connections;
};

// One direction, until its sender has finished or either side failed.
asio::awaitable<void> copy(std::shared_ptr<TcpState::Connection> connection, tcp::socket& from, tcp::socket& to) {
  std::vector<char> buffer(std::size_t{16} << 10);
  error_code failure;
  while (!failure) {
    const auto [read_error, size] = co_await from.async_read_some(asio::buffer(buffer), kToken);
    failure = read_error;
    if (failure) break;
    const auto [write_error, written] = co_await asio::async_write(to, asio::buffer(buffer.data(), size), kToken);
    failure = write_error;
  }
  error_code ignored;
  if (failure == asio::error::eof) {
    to.shutdown(tcp::socket::shutdown_send, ignored);
  } else {
    connection->close();
  }
}

asio::awaitable<void> copy_back(std::shared_ptr<TcpState::Connection> connection,
                                std::shared_ptr<asio::steady_timer> done) {
  co_await copy(connection, connection->task, connection->client);
  done->expires_at(asio::steady_timer::time_point::min());
}

asio::awaitable<void> carry(std::shared_ptr<TcpState> state, std::shared_ptr<TcpState::Connection> connection) {
  error_code failure = asio::error::host_unreachable;
  const auto target = state->targets.next();
  if (target && state->open(connection->task)) {
    const auto [connected] = co_await connection->task.async_connect(*target, kToken);
    failure = connected;
  }
  if (!failure) {
    error_code ignored;
    connection->client.set_option(tcp::no_delay(true), ignored);
    connection->task.set_option(tcp::no_delay(true), ignored);
    // Expires when the way back has ended: a timer is Asio's plainest event that is remembered.
    auto back_done =
        std::make_shared<asio::steady_timer>(state->acceptor.get_executor(), asio::steady_timer::time_point::max());
    asio::co_spawn(state->acceptor.get_executor(), copy_back(connection, back_done), asio::detached);
    co_await copy(connection, connection->client, connection->task);
    co_await back_done->async_wait(kToken);
  }
  connection->close();
  state->connections.erase(connection);
}

asio::awaitable<void> accept(std::shared_ptr<TcpState> state) {
  while (state->acceptor.is_open()) {
    auto [failure, client] = co_await state->acceptor.async_accept(kToken);
    if (failure == asio::error::operation_aborted) co_return;
    if (failure || state->connections.size() >= kClientsMax) continue;
    auto connection = std::make_shared<TcpState::Connection>(std::move(client));
    state->connections.insert(connection);
    asio::co_spawn(state->acceptor.get_executor(), carry(state, connection), asio::detached);
  }
}

class TcpRelay final : public LoopbackRelay {
 public:
  explicit TcpRelay(std::shared_ptr<TcpState> state) : state_(std::move(state)) {}
  ~TcpRelay() override {
    error_code ignored;
    state_->acceptor.close(ignored);
    for (const auto& connection : state_->connections) connection->close();
  }
  base::Result<> set_targets(const std::vector<Target>& targets) override { return state_->targets.set(targets); }

 private:
  std::shared_ptr<TcpState> state_;
};

struct UdpState {
  struct Client {
    Client(const base::Executor& executor, udp::endpoint from) : socket(executor), address(std::move(from)) {}
    udp::socket socket;  // connected to the container
    udp::endpoint address;
    std::chrono::steady_clock::time_point last_used = std::chrono::steady_clock::now();
  };

  UdpState(const base::Executor& executor, LoopbackRelay::MakeSocket make)
      : socket(executor), make_socket(std::move(make)), sweep(executor) {}

  bool open(udp::socket& client) const {
    if (!make_socket) return true;
    auto made = make_socket(SOCK_DGRAM);
    if (made) client.assign(udp::v4(), made->release());
    return made.has_value();
  }

  udp::socket socket;
  LoopbackRelay::MakeSocket make_socket;
  Targets<udp::endpoint> targets;
  asio::steady_timer sweep;
  std::map<udp::endpoint, std::shared_ptr<Client>> clients;
};

asio::awaitable<void> answer(std::shared_ptr<UdpState> state, std::shared_ptr<UdpState::Client> client) {
  std::vector<char> buffer(std::size_t{64} << 10);
  while (client->socket.is_open()) {
    const auto [failure, size] = co_await client->socket.async_receive(asio::buffer(buffer), kToken);
    if (failure == asio::error::operation_aborted) co_return;
    if (failure) continue;  // "connection refused" of an earlier packet: the container may listen by the next
    client->last_used = std::chrono::steady_clock::now();
    co_await state->socket.async_send_to(asio::buffer(buffer.data(), size), client->address, kToken);
  }
}

std::shared_ptr<UdpState::Client> client_of(const std::shared_ptr<UdpState>& state, const udp::endpoint& from) {
  if (const auto known = state->clients.find(from); known != state->clients.end()) return known->second;
  const auto target = state->targets.next();
  if (!target || state->clients.size() >= kClientsMax) return nullptr;
  auto client = std::make_shared<UdpState::Client>(state->socket.get_executor(), from);
  error_code failure;
  if (!state->open(client->socket)) return nullptr;
  client->socket.connect(*target, failure);
  if (failure) return nullptr;
  state->clients.emplace(from, client);
  asio::co_spawn(state->socket.get_executor(), answer(state, client), asio::detached);
  return client;
}

asio::awaitable<void> receive(std::shared_ptr<UdpState> state) {
  std::vector<char> buffer(std::size_t{64} << 10);
  while (state->socket.is_open()) {
    udp::endpoint from;
    const auto [failure, size] = co_await state->socket.async_receive_from(asio::buffer(buffer), from, kToken);
    if (failure == asio::error::operation_aborted) co_return;
    if (failure) continue;
    const auto client = client_of(state, from);
    if (!client) continue;
    client->last_used = std::chrono::steady_clock::now();
    co_await client->socket.async_send(asio::buffer(buffer.data(), size), kToken);
  }
}

asio::awaitable<void> forget_idle(std::shared_ptr<UdpState> state) {
  while (state->socket.is_open()) {
    state->sweep.expires_after(kIdleLimit / 2);
    const auto [failure] = co_await state->sweep.async_wait(kToken);
    if (failure) co_return;
    const auto oldest = std::chrono::steady_clock::now() - kIdleLimit;
    std::erase_if(state->clients, [&](const auto& entry) {
      if (entry.second->last_used >= oldest) return false;
      error_code ignored;
      entry.second->socket.close(ignored);
      return true;
    });
  }
}

class UdpRelay final : public LoopbackRelay {
 public:
  explicit UdpRelay(std::shared_ptr<UdpState> state) : state_(std::move(state)) {}
  ~UdpRelay() override {
    error_code ignored;
    state_->socket.close(ignored);
    state_->sweep.cancel();
    for (const auto& [address, client] : state_->clients) client->socket.close(ignored);
  }
  // Clients keep their container while it is one of the port's; those of one that left start anew elsewhere.
  base::Result<> set_targets(const std::vector<Target>& targets) override {
    RETURN_IF_ERROR(state_->targets.set(targets));
    std::erase_if(state_->clients, [&](const auto& entry) {
      error_code failure;
      const auto remote = entry.second->socket.remote_endpoint(failure);
      const bool stays = !failure && std::any_of(targets.begin(), targets.end(), [&](const Target& target) {
        return remote.address().to_string() == target.address && remote.port() == target.port;
      });
      if (!stays) entry.second->socket.close(failure);
      return !stays;
    });
    return {};
  }

 private:
  std::shared_ptr<UdpState> state_;
};

}  // namespace

base::Result<std::unique_ptr<LoopbackRelay>> LoopbackRelay::start(base::Executor executor, base::UniqueFd socket,
                                                                  bool udp_port, MakeSocket make_socket) {
  sockaddr_storage own{};
  socklen_t size = sizeof(own);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size);
  const bool v6 = own.ss_family == AF_INET6;
  if (udp_port) {
    auto state = std::make_shared<UdpState>(executor, std::move(make_socket));
    state->socket.assign(v6 ? udp::v6() : udp::v4(), socket.release());
    asio::co_spawn(executor, receive(state), asio::detached);
    asio::co_spawn(executor, forget_idle(state), asio::detached);
    return std::make_unique<UdpRelay>(std::move(state));
  }
  error_code failure;
  auto state = std::make_shared<TcpState>(executor, std::move(make_socket));
  state->acceptor.assign(v6 ? tcp::v6() : tcp::v4(), socket.release());
  // Of connections that linger here for a minute after their end: they keep the port from nobody, and nobody's keep it
  // from us. Who listens shares it with no other listener all the same.
  state->acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  state->acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) return base::fail_errno(failure.value(), "serving a published port on this machine itself");
  asio::co_spawn(executor, accept(state), asio::detached);
  return std::make_unique<TcpRelay>(std::move(state));
}

}  // namespace orchion::node::networks
