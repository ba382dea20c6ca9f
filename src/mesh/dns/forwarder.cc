#include "mesh/dns/forwarder.h"

#include <array>
#include <random>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace orchion::mesh::dns {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMessageBytesMax = 65535;

// Closes a socket when the time is up, which ends whatever waits on it.
template <class Socket>
class Deadline {
 public:
  Deadline(Socket& socket, base::Duration limit) : timer_(socket.get_executor()) {
    timer_.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(limit));
    // It may have expired and its handler be queued when the socket goes.
    timer_.async_wait([&socket, watching = watching_](error_code aborted) {
      error_code ignored;
      if (!aborted && *watching) socket.close(ignored);
    });
  }
  ~Deadline() { *watching_ = false; }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> watching_ = std::make_shared<bool>(true);
};

void set_id(Bytes& message, std::uint16_t id) {
  message[0] = static_cast<std::uint8_t>(id >> 8);
  message[1] = static_cast<std::uint8_t>(id & 0xff);
}

std::uint16_t id_of(const Bytes& message) {
  return static_cast<std::uint16_t>(message[0] << 8 | message[1]);
}

// Neither the id nor the port of a question can be guessed from the one before.
std::uint16_t random_id() {
  static thread_local std::random_device device;
  return static_cast<std::uint16_t>(device());
}

bool fits(const Bytes& reply, const Bytes& query) {
  return answers(reply, query) && id_of(reply) == id_of(query);
}

// Empty: no answer in time. What isn't an answer to this question is passed over.
asio::awaitable<Bytes> ask_udp(const Bytes& query, udp::endpoint to, base::Duration limit) {
  udp::socket socket(co_await asio::this_coro::executor);
  error_code failure;
  socket.connect(to, failure);
  if (failure) co_return Bytes{};
  const Deadline deadline(socket, limit);
  const auto [send_failure, sent] = co_await socket.async_send(asio::buffer(query), kToken);
  if (send_failure) co_return Bytes{};
  while (true) {
    Bytes reply(kMessageBytesMax);
    const auto [receive_failure, size] = co_await socket.async_receive(asio::buffer(reply), kToken);
    if (receive_failure) co_return Bytes{};
    reply.resize(size);
    if (fits(reply, query)) co_return reply;
  }
}

asio::awaitable<Bytes> ask_tcp(const Bytes& query, tcp::endpoint to, base::Duration limit) {
  tcp::socket socket(co_await asio::this_coro::executor);
  error_code failure;
  socket.open(to.protocol(), failure);
  const Deadline deadline(socket, limit);
  const auto [connect_failure] = co_await socket.async_connect(to, kToken);
  if (connect_failure) co_return Bytes{};
  std::array<std::uint8_t, 2> length = {static_cast<std::uint8_t>(query.size() >> 8),
                                        static_cast<std::uint8_t>(query.size() & 0xff)};
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(length), asio::buffer(query)};
  const auto [write_failure, written] = co_await asio::async_write(socket, parts, kToken);
  if (write_failure) co_return Bytes{};
  const auto [length_failure, read] = co_await asio::async_read(socket, asio::buffer(length), kToken);
  if (length_failure) co_return Bytes{};
  Bytes reply(static_cast<std::size_t>(length[0] << 8 | length[1]));
  const auto [body_failure, body] = co_await asio::async_read(socket, asio::buffer(reply), kToken);
  if (body_failure || !fits(reply, query)) co_return Bytes{};
  co_return reply;
}

struct Counted {
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  std::size_t& count_;
};

}  // namespace

asio::awaitable<Bytes> Forwarder::forward(Bytes query, Transport transport) {
  if (in_flight_ >= options_.in_flight_max) co_return server_failure(query);
  const Counted counted(in_flight_);
  const std::uint16_t id = id_of(query);
  set_id(query, random_id());
  for (const auto& upstream : upstreams_()) {
    error_code bad;
    const auto address = asio::ip::make_address(upstream.address, bad);
    if (bad) continue;
    Bytes reply;
    if (transport == Transport::kTcp) {
      reply = co_await ask_tcp(query, tcp::endpoint(address, upstream.port), options_.attempt_limit);
    }
    if (reply.empty()) reply = co_await ask_udp(query, udp::endpoint(address, upstream.port), options_.attempt_limit);
    if (reply.empty()) continue;
    set_id(reply, id);
    co_return reply;
  }
  set_id(query, id);
  co_return server_failure(query);
}

}  // namespace orchion::mesh::dns
