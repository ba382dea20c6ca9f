#include "wire/http_connection.h"

#include <algorithm>
#include <cctype>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "wire/server_exchange.h"

namespace orchion::wire {

namespace asio = boost::asio;
using base::Code;
using boost::system::error_code;

namespace {

// What is read and thrown away of a body that no handler wanted, so that the client reads its answer before the
// connection goes.
constexpr std::size_t kDrainBytesMax = 1u << 20;
constexpr base::Duration kLinger = std::chrono::seconds(2);

std::unexpected<base::Error> gone() {
  return base::fail(Code::kCancelled, "the client closed the connection");
}

std::string_view reason_of(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

std::string status_line(int status) {
  std::string line = "HTTP/1.1 " + std::to_string(status) + " ";
  line += reason_of(status);
  line += "\r\n";
  return line;
}

bool has_token(std::optional<std::string_view> value, std::string_view token) {
  if (!value) return false;
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return !std::ranges::search(*value, token, {}, lower, lower).empty();
}

}  // namespace

Connection::Connection(Socket socket, Transport transport, std::string peer, const Handler& handler,
                       const HttpServerOptions& options)
    : socket_(std::move(socket)),
      transport_(transport),
      peer_(std::move(peer)),
      handler_(handler),
      options_(options),
      inbox_(std::max<std::size_t>(options.header_bytes_max + 1024, 64u << 10)) {}

asio::awaitable<void> Connection::run() {
  const auto self = shared_from_this();
  // What ends a connection is the client's affair; handlers' errors were logged where they arose.
  (void)co_await serve_requests();
  drop();
}

base::Co<> Connection::serve_requests() {
  while (!stopping_) {
    CO_RETURN_IF_ERROR(co_await read_head());
    auto& head = parser_->head();
    keep_alive_ = parser_->keep_alive();
    head_only_ = head.method == "HEAD";
    continue_wanted_ = !parser_->done() && has_token(head.headers.find("Expect"), "100-continue");
    auto exchange = std::make_shared<ServerExchange>(
        *this, Request{std::move(head.method), std::move(head.target), std::move(head.headers), transport_, peer_});
    phase_ = Phase::kHandler;
    clear_deadline();
    CO_RETURN_IF_ERROR(co_await handle(std::move(exchange)));
    end_watch();
    CO_RETURN_IF_ERROR(co_await finish_request());
  }
  co_return base::Result<>{};
}

base::Co<> Connection::read_head() {
  parser_ = std::make_unique<MessageParser>(MessageParser::Kind::kRequest, options_.header_bytes_max);
  phase_ = Phase::kIdle;
  parser_moves_ = true;
  set_deadline(options_.idle_limit);
  while (true) {
    if (!inbox_.empty()) {
      const auto used = parser_->put(inbox_.data());
      if (!used) co_return co_await refuse(used.error());
      inbox_.consume(*used);
      if (parser_->head_done()) co_return base::Result<>{};
      if (phase_ == Phase::kIdle) {
        phase_ = Phase::kHead;
        set_deadline(options_.header_limit);
      }
    }
    const auto ec = co_await read_some(socket_, inbox_);
    if (ec) co_return gone();
  }
}

base::Co<> Connection::refuse(base::Error error) {
  phase_ = Phase::kClosing;
  keep_alive_ = false;
  Response response{error.code == Code::kResourceExhausted ? 431 : 400, {}, error.message + "\n"};
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  CO_RETURN_IF_ERROR(co_await write_response(response));
  CO_RETURN_IF_ERROR(co_await linger());
  co_return gone();
}

base::Co<> Connection::handle(std::shared_ptr<ServerExchange> exchange) {
  base::Result<> result;
  try {
    result = co_await handler_(exchange);
  } catch (const boost::system::system_error& e) {
    if (e.code() == asio::error::operation_aborted) throw;
    result = base::fail(Code::kInternal, e.what());
  } catch (const std::exception& e) {
    result = base::fail(Code::kInternal, e.what());
  }
  const auto answered = exchange->end();
  if (answered == ServerExchange::Answered::kWhole) co_return base::Result<>{};
  if (answered == ServerExchange::Answered::kPart || (!result && result.error().code == Code::kCancelled)) {
    co_return gone();
  }
  base::log::error("a request of {} got no answer: {}", peer_,
                   result ? "the handler gave none" : result.error().message);
  const Response bare{500, {}, ""};
  co_return co_await write_response(bare);
}

// Brings the connection to where the next request begins, or ends it.
base::Co<> Connection::finish_request() {
  for (std::size_t drained = 0; !parser_->done();) {
    if (continue_wanted_ || drained > kDrainBytesMax) {
      keep_alive_ = false;
      break;
    }
    CO_ASSIGN_OR_RETURN(auto piece, co_await read_body());
    if (piece) drained += piece->size();
  }
  if (keep_alive_) co_return base::Result<>{};
  CO_RETURN_IF_ERROR(co_await linger());
  co_return gone();
}

// A close with unread bytes resets the connection and may take the answer with it: half-close, read on a little.
base::Co<> Connection::linger() {
  phase_ = Phase::kClosing;
  error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  set_deadline(kLinger);
  for (std::size_t drained = 0; !ec && drained < kDrainBytesMax;) {
    drained += inbox_.data().size();
    inbox_.consume(inbox_.data().size());
    ec = co_await read_some(socket_, inbox_);
  }
  co_return base::Result<>{};
}

base::Co<std::optional<std::string>> Connection::read_body() {
  while (true) {
    if (auto piece = parser_->take_body(); !piece.empty()) co_return std::optional(std::move(piece));
    if (parser_->done()) co_return std::optional<std::string>();
    if (inbox_.empty() && std::exchange(continue_wanted_, false)) {
      CO_RETURN_IF_ERROR(co_await write({"HTTP/1.1 100 Continue\r\n\r\n", {}, {}}));
    }
    set_deadline(options_.stall_limit);
    if (inbox_.empty() || !parser_moves_) {
      const auto ec = co_await read_some(socket_, inbox_);
      if (ec) co_return gone();
    }
    clear_deadline();
    continue_wanted_ = false;
    const auto used = parser_->put(inbox_.data());
    if (!used) {
      keep_alive_ = false;
      co_return std::unexpected(used.error());
    }
    parser_moves_ = *used > 0;
    inbox_.consume(*used);
  }
}

base::Co<> Connection::write(Pieces pieces) {
  set_deadline(options_.stall_limit);
  const auto ec = co_await write_all(socket_, pieces);
  if (ec) co_return gone();
  if (phase_ == Phase::kHandler) clear_deadline();
  co_return base::Result<>{};
}

base::Co<> Connection::write_response(const Response& response) {
  std::string head = status_line(response.status);
  append_headers(response.headers.fields(), head);
  // A body that was announced and never asked for leaves no way to find the next request.
  if (stopping_ || continue_wanted_) keep_alive_ = false;
  if (!keep_alive_) head += "Connection: close\r\n";
  if (keep_alive_ && parser_->http_1_0()) head += "Connection: keep-alive\r\n";
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  head += "\r\n";
  const std::string_view body = head_only_ || bodiless ? std::string_view() : response.body;
  co_return co_await write({head, body, {}});
}

base::Co<> Connection::write_stream_head(int status, const Headers& headers) {
  chunked_ = !parser_->http_1_0();
  if (!chunked_ || stopping_ || continue_wanted_) keep_alive_ = false;
  std::string head = status_line(status);
  append_headers(headers.fields(), head);
  if (!keep_alive_) head += "Connection: close\r\n";
  head += chunked_ ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n";
  CO_RETURN_IF_ERROR(co_await write({head, {}, {}}));
  watch();
  co_return base::Result<>{};
}

void Connection::check(base::Time now) {
  if (now >= deadline_) {
    abort();
  } else if (phase_ == Phase::kHandler) {
    watch();
  }
}

void Connection::stop_when_idle() {
  stopping_ = true;
  if (phase_ == Phase::kIdle) abort();
}

void Connection::drop() {
  error_code ignored;
  socket_.close(ignored);
}

void Connection::abort() {
  drop();
  signal_.emit(asio::cancellation_type::all);
}

// While a handler runs nobody reads, so nobody would see the client go: wait for the socket to become readable
// and look why. Not while a body is being read; bytes of a next request end the watching.
void Connection::watch() {
  if (watching_ || !socket_.is_open() || !parser_->done() || !inbox_.empty()) return;
  watching_ = true;
  socket_.async_wait(Socket::wait_read,
                     asio::bind_cancellation_slot(
                         watch_signal_.slot(), [self = shared_from_this(), round = watch_round_](const error_code& ec) {
                           if (round != self->watch_round_ || ec) return;
                           if (peer_state(self->socket_) == PeerState::kGone) self->abort();
                         }));
}

void Connection::end_watch() {
  if (!watching_) return;
  watching_ = false;
  ++watch_round_;
  watch_signal_.emit(asio::cancellation_type::all);
}

}  // namespace orchion::wire
