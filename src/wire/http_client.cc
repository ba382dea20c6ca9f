#include "wire/http_client.h"

#include <algorithm>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "wire/host_port.h"
#include "wire/message_parser.h"
#include "wire/socket_io.h"
#include "wire/websocket.h"

namespace orchion::wire {

namespace asio = boost::asio;
using asio::ip::tcp;
using base::Code;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

namespace {

constexpr std::size_t kIdleMax = 16;
constexpr std::size_t kHeaderBytesMax = 64u << 10;
constexpr int kSwitchingProtocols = 101;

std::string name_of(const Endpoint& endpoint) {
  if (endpoint.transport == Transport::kUnix) return "unix:" + endpoint.host;
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

std::string host_header(const Endpoint& endpoint) {
  return endpoint.transport == Transport::kUnix ? "localhost" : name_of(endpoint);
}

// What may be sent twice where nobody knows whether it has arrived (RFC 9110, 9.2.2).
bool repeatable(const ClientRequest& request) {
  constexpr std::string_view kMethods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
  return !request.streamed_body && std::ranges::find(kMethods, request.method) != std::end(kMethods);
}

std::string head_of(const ClientRequest& request, const Endpoint& endpoint) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (!request.headers.find("Host")) head += "Host: " + host_header(endpoint) + "\r\n";
  append_headers(request.headers.fields(), head);
  if (request.streamed_body) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return head + "\r\n";
}

// One connection and the time it is given. Expiry closes it, which ends whatever waits on it.
struct ClientConnection : std::enable_shared_from_this<ClientConnection> {
  explicit ClientConnection(const base::Executor& executor)
      : socket(executor), resolver(executor), timer(executor), inbox(kHeaderBytesMax + 1024) {}

  void give(base::Duration limit) {
    timer.expires_after(limit);
    timer.async_wait([weak = weak_from_this(), mine = ++round](const error_code& ec) {
      const auto self = weak.lock();
      if (ec || !self || self->round != mine) return;
      self->expired = true;
      self->resolver.cancel();
      error_code ignored;
      self->socket.close(ignored);
    });
  }
  void give_forever() {
    ++round;
    timer.cancel();
  }

  Socket socket;
  tcp::resolver resolver;
  asio::steady_timer timer;
  Inbox inbox;
  std::unique_ptr<MessageParser> parser;
  std::uint64_t round = 0;
  bool expired = false;
  bool reused = false;
  bool half_sent = false;  // an early answer stopped the request: no other may follow on this connection
};

using ConnectionPtr = std::shared_ptr<ClientConnection>;

std::unexpected<base::Error> broke(const ClientConnection& connection, const Endpoint& endpoint, const error_code& ec) {
  if (connection.expired) {
    return base::fail(Code::kDeadlineExceeded, name_of(endpoint) + " did not answer in time: try again, or allow more");
  }
  if (ec == asio::error::operation_aborted) return base::fail(Code::kCancelled, "the request was cancelled");
  return base::fail(Code::kUnavailable, "the connection to " + name_of(endpoint) + " broke (" + ec.message() +
                                            "): see whether the server still runs, and try again");
}

std::unexpected<base::Error> nobody(const ClientConnection& connection, const Endpoint& endpoint,
                                    const error_code& ec) {
  if (connection.expired || ec == asio::error::operation_aborted) return broke(connection, endpoint, ec);
  if (ec == asio::error::access_denied) {
    return base::fail(Code::kPermissionDenied, "not allowed to use " + name_of(endpoint) + ": run as its owner");
  }
  return base::fail(Code::kUnavailable,
                    "nobody answers at " + name_of(endpoint) + " (" + ec.message() + "): start the server");
}

asio::awaitable<error_code> connect_tcp(ConnectionPtr connection, const Endpoint& endpoint) {
  error_code ec;
  const auto address = asio::ip::make_address(endpoint.host, ec);
  std::vector<tcp::endpoint> candidates;
  if (!ec) {
    candidates.emplace_back(address, endpoint.port);
  } else {
    auto [failed, found] =
        co_await connection->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kAwait);
    if (failed) co_return failed;
    for (const auto& entry : found) candidates.push_back(entry.endpoint());
  }
  for (const auto& candidate : candidates) {
    tcp::socket socket(connection->socket.get_executor());
    connection->socket = Socket(std::move(socket));
    const auto [failed] = co_await connection->socket.async_connect(candidate, kAwait);
    ec = failed;
    if (!ec) {
      connection->socket.set_option(tcp::no_delay(true), ec);
      co_return error_code();
    }
    if (connection->expired) break;
    connection->socket.close(ec);
    ec = failed;
  }
  co_return ec;
}

asio::awaitable<error_code> connect_unix(ConnectionPtr connection, const Endpoint& endpoint) {
  if (endpoint.host.size() >= 108) co_return asio::error::name_too_long;
  const auto [ec] = co_await connection->socket.async_connect(Local::endpoint(endpoint.host), kAwait);
  co_return ec;
}

base::Co<ConnectionPtr> connect(base::Executor executor, const Endpoint& endpoint, base::Duration limit) {
  auto connection = std::make_shared<ClientConnection>(executor);
  connection->give(limit);
  auto ec = endpoint.transport == Transport::kTcp ? co_await connect_tcp(connection, endpoint)
                                                  : co_await connect_unix(connection, endpoint);
  if (!ec) connection->socket.non_blocking(true, ec);
  if (ec) co_return nobody(*connection, endpoint, ec);
  co_return connection;
}

}  // namespace

struct HttpClient::State : std::enable_shared_from_this<State> {
  State(base::Executor e, Endpoint to) : executor(std::move(e)), endpoint(std::move(to)) {}

  base::Co<ClientResponse> attempt(ConnectionPtr connection, std::shared_ptr<ClientRequest> request,
                                   base::Duration limit);
  base::Co<> write_request(ConnectionPtr connection, std::shared_ptr<ClientRequest> request, base::Duration limit);
  base::Co<> write_streamed(ConnectionPtr connection, std::shared_ptr<BodyReader> body, base::Duration limit);
  base::Co<> read_head(ConnectionPtr connection, bool head_only);
  ClientResponse take_response(ConnectionPtr connection, base::Duration limit);

  // A connection nobody uses and on which nothing has happened since; nullptr where there is none.
  ConnectionPtr take_idle() {
    while (!idle.empty()) {
      auto connection = std::move(idle.back());
      idle.pop_back();
      if (connection->socket.is_open() && peer_state(connection->socket) == PeerState::kQuiet) {
        connection->reused = true;
        return connection;
      }
    }
    return nullptr;
  }

  void give_back(ConnectionPtr connection) {
    connection->give_forever();
    if (connection->half_sent || !connection->parser->keep_alive() || !connection->inbox.empty() ||
        idle.size() >= kIdleMax)
      return;
    idle.push_back(std::move(connection));
  }

  base::Executor executor;
  Endpoint endpoint;
  std::vector<ConnectionPtr> idle;
};

namespace {

// Reads the rest of a response; hands the connection back when all was read.
class ResponseBody final : public BodyReader {
 public:
  using GiveBack = std::function<void(ConnectionPtr)>;

  ResponseBody(ConnectionPtr connection, Endpoint endpoint, std::optional<base::Duration> limit, GiveBack give_back)
      : connection_(std::move(connection)), endpoint_(std::move(endpoint)), limit_(limit), give_back_(give_back) {
    settle();
  }

  base::Co<std::optional<std::string>> read() override {
    while (true) {
      if (!left_.empty()) co_return std::optional<std::string>(std::exchange(left_, {}));
      if (!connection_) co_return std::optional<std::string>();
      CO_RETURN_IF_ERROR(co_await read_more());
      settle();
    }
  }

 private:
  base::Co<> read_more() {
    auto& connection = *connection_;
    if (limit_) connection.give(*limit_);
    const auto ec = co_await read_some(connection.socket, connection.inbox);
    connection.give_forever();
    if (ec == asio::error::eof) {
      auto ended = connection.parser->put_end();
      if (!ended || !connection.parser->done()) co_return broke(connection, endpoint_, ec);
      co_return base::Result<>{};
    }
    if (ec) co_return broke(connection, endpoint_, ec);
    CO_ASSIGN_OR_RETURN(const auto used, connection.parser->put(connection.inbox.data()));
    connection.inbox.consume(used);
    co_return base::Result<>{};
  }

  void settle() {
    left_ += connection_->parser->take_body();
    if (connection_->parser->done()) give_back_(std::exchange(connection_, nullptr));
  }

  ConnectionPtr connection_;
  Endpoint endpoint_;
  std::optional<base::Duration> limit_;
  GiveBack give_back_;
  std::string left_;
};

// What came behind the head of the answer is the stream's first.
class UpgradedStream final : public RawStream {
 public:
  UpgradedStream(ConnectionPtr connection, Endpoint endpoint)
      : connection_(std::move(connection)), endpoint_(std::move(endpoint)) {}
  ~UpgradedStream() override {
    error_code ignored;
    connection_->socket.close(ignored);
  }

  base::Co<std::optional<std::string>> read() override {
    const auto connection = connection_;
    auto& inbox = connection->inbox;
    if (inbox.empty()) {
      const auto ec = co_await read_some(connection->socket, inbox);
      if (ec == asio::error::eof || ec == asio::error::connection_reset) co_return std::optional<std::string>();
      if (ec) co_return broke(*connection, endpoint_, ec);
    }
    std::string piece(inbox.data());
    inbox.consume(piece.size());
    co_return std::optional<std::string>(std::move(piece));
  }

  base::Co<> write(std::string bytes) override {
    const auto connection = connection_;
    const auto ec = co_await write_all(connection->socket, {bytes, {}, {}});
    if (ec) co_return broke(*connection, endpoint_, ec);
    co_return base::Result<>{};
  }

  void end() override {
    error_code ignored;
    connection_->socket.shutdown(Socket::shutdown_send, ignored);
  }

 private:
  ConnectionPtr connection_;
  Endpoint endpoint_;
};

}  // namespace

base::Co<> HttpClient::State::write_streamed(ConnectionPtr connection, std::shared_ptr<BodyReader> body,
                                             base::Duration limit) {
  while (true) {
    connection->give_forever();
    CO_ASSIGN_OR_RETURN(const auto piece, co_await body->read());
    // An answer before the end is a refusal: no use in sending the rest.
    connection->half_sent = true;
    if (peer_state(connection->socket) != PeerState::kQuiet) co_return base::Result<>{};
    connection->give(limit);
    const std::string head = chunk_head(piece ? piece->size() : 0);
    const auto ec = co_await write_all(connection->socket, {head, piece ? *piece : std::string_view(), "\r\n"});
    if (ec == asio::error::broken_pipe || ec == asio::error::connection_reset) co_return base::Result<>{};
    if (ec) co_return broke(*connection, endpoint, ec);
    connection->half_sent = piece.has_value();
    if (!piece) co_return base::Result<>{};
  }
}

base::Co<> HttpClient::State::write_request(ConnectionPtr connection, std::shared_ptr<ClientRequest> request,
                                            base::Duration limit) {
  const std::string head = head_of(*request, endpoint);
  const std::string_view body = request->streamed_body ? std::string_view() : request->body;
  const auto ec = co_await write_all(connection->socket, {head, body, {}});
  // A server that refuses early closes its end; its answer may be there all the same.
  if (ec && (body.empty() || connection->expired || ec == asio::error::operation_aborted)) {
    co_return broke(*connection, endpoint, ec);
  }
  connection->half_sent = bool(ec);
  if (!request->streamed_body) co_return base::Result<>{};
  co_return co_await write_streamed(connection, request->streamed_body, limit);
}

base::Co<> HttpClient::State::read_head(ConnectionPtr connection, bool head_only) {
  auto& parser = connection->parser;
  while (true) {
    if (head_only) parser->expect_no_body();
    while (!parser->head_done()) {
      if (!connection->inbox.empty()) {
        CO_ASSIGN_OR_RETURN(const auto used, parser->put(connection->inbox.data()));
        connection->inbox.consume(used);
        if (parser->head_done()) break;
      }
      const auto ec = co_await read_some(connection->socket, connection->inbox);
      if (ec) co_return broke(*connection, endpoint, ec);
    }
    const int status = parser->head().status;
    if (status >= 200 || status == kSwitchingProtocols) co_return base::Result<>{};
    // 100 Continue and its like stand before the answer.
    parser = std::make_unique<MessageParser>(MessageParser::Kind::kResponse, kHeaderBytesMax);
  }
}

base::Co<ClientResponse> HttpClient::State::attempt(ConnectionPtr connection, std::shared_ptr<ClientRequest> request,
                                                    base::Duration limit) {
  connection->parser = std::make_unique<MessageParser>(MessageParser::Kind::kResponse, kHeaderBytesMax);
  connection->give(limit);
  CO_RETURN_IF_ERROR(co_await write_request(connection, request, limit));
  connection->give(limit);
  CO_RETURN_IF_ERROR(co_await read_head(connection, request->method == "HEAD"));
  co_return take_response(std::move(connection), limit);
}

ClientResponse HttpClient::State::take_response(ConnectionPtr connection, base::Duration limit) {
  connection->give_forever();
  auto& head = connection->parser->head();
  ClientResponse response{head.status, std::move(head.headers), nullptr};
  const auto type = response.headers.find("Content-Type");
  const bool endless = type && type->starts_with("text/event-stream");
  response.body = std::make_unique<ResponseBody>(
      std::move(connection), endpoint, endless ? std::nullopt : std::optional(limit),
      [self = shared_from_this()](ConnectionPtr free) { self->give_back(std::move(free)); });
  return response;
}

HttpClient::HttpClient(base::Executor executor, Endpoint endpoint)
    : state_(std::make_shared<State>(std::move(executor), std::move(endpoint))) {}

HttpClient::~HttpClient() {
  state_->idle.clear();
}

base::Co<ClientResponse> HttpClient::send(ClientRequest request, base::Duration limit) {
  const auto state = state_;
  const auto shared = std::make_shared<ClientRequest>(std::move(request));
  if (auto connection = state->take_idle()) {
    auto response = co_await state->attempt(connection, shared, limit);
    const bool stale =
        !response && response.error().code == Code::kUnavailable && connection->parser && !connection->parser->begun();
    if (!stale || !repeatable(*shared)) co_return response;
  }
  CO_ASSIGN_OR_RETURN(auto fresh, co_await connect(state->executor, state->endpoint, limit));
  co_return co_await state->attempt(std::move(fresh), shared, limit);
}

base::Co<Upgrade> HttpClient::upgrade(ClientRequest request, std::string protocol, base::Duration limit) {
  const auto state = state_;
  request.headers.set("Connection", "Upgrade");
  request.headers.set("Upgrade", std::move(protocol));
  const auto shared = std::make_shared<ClientRequest>(std::move(request));
  CO_ASSIGN_OR_RETURN(auto connection, co_await connect(state->executor, state->endpoint, limit));
  connection->parser = std::make_unique<MessageParser>(MessageParser::Kind::kResponse, kHeaderBytesMax);
  connection->give(limit);
  CO_RETURN_IF_ERROR(co_await state->write_request(connection, shared, limit));
  connection->give(limit);
  CO_RETURN_IF_ERROR(co_await state->read_head(connection, /*head_only=*/false));
  connection->give_forever();
  Upgrade upgrade;
  if (connection->parser->head().status != kSwitchingProtocols) {
    upgrade.response = state->take_response(std::move(connection), limit);
    co_return upgrade;
  }
  upgrade.response.status = kSwitchingProtocols;
  upgrade.response.headers = std::move(connection->parser->head().headers);
  upgrade.stream = std::make_unique<UpgradedStream>(std::move(connection), state->endpoint);
  co_return upgrade;
}

base::Co<std::unique_ptr<WebSocket>> HttpClient::websocket(std::string target, Headers headers, base::Duration limit) {
  const auto state = state_;
  CO_ASSIGN_OR_RETURN(auto connection, co_await connect(state->executor, state->endpoint, limit));
  connection->give_forever();
  co_return co_await open_websocket(std::move(connection->socket), host_header(state->endpoint), std::move(target),
                                    std::move(headers), limit);
}

base::Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto broken = [&] {
    return base::fail(Code::kInvalidArgument,
                      "'" + std::string(text) + "' is no address of a server: write http://HOST:PORT or unix:/PATH");
  };
  if (text.starts_with("unix:")) {
    std::string path(text.substr(5));
    if (path.starts_with("//")) path.erase(0, 2);
    if (path.empty() || path.front() != '/') return broken();
    return Endpoint{Transport::kUnix, std::move(path), 0};
  }
  if (text.starts_with("https://")) {
    return base::fail(Code::kUnimplemented,
                      "'" + std::string(text) + "' wants TLS, which is not there yet: use http://");
  }
  std::string_view rest = text.starts_with("http://") ? text.substr(7) : text;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  auto address = parse_host_port(rest);
  if (!address || address->port == 0) return broken();
  return Endpoint{Transport::kTcp, std::move(address->host), address->port};
}

}  // namespace orchion::wire
