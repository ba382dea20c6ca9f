#include "wire/websocket.h"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace orchion::wire {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ws = boost::beast::websocket;

namespace {

using Stream = ws::stream<Socket, false>;

constexpr std::uint16_t kErrorCodeBase = 4000;
constexpr std::size_t kReasonBytesMax = 123;  // RFC 6455, 5.5
constexpr std::size_t kMessageBytesMax = 4u << 20;

// At most `bytes_max` bytes, not cut inside a UTF-8 sequence.
std::string_view shorten(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

std::unexpected<base::Error> broken(const beast::error_code& ec) {
  return base::fail(base::Code::kUnavailable, "the WebSocket broke: " + ec.message());
}

class BeastWebSocket final : public WebSocket {
 public:
  explicit BeastWebSocket(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

  base::Co<std::optional<Message>> receive() override {
    const auto [ec, count] = co_await stream_->async_read(buffer_, kAwait);
    if (ec == ws::error::closed) co_return closed();
    if (ec) co_return broken(ec);
    Message message{beast::buffers_to_string(buffer_.data()), stream_->got_binary()};
    buffer_.consume(buffer_.size());
    co_return std::optional<Message>(std::move(message));
  }

  base::Co<> send(Message message) override {
    stream_->binary(message.binary);
    const auto [ec, count] = co_await stream_->async_write(asio::buffer(message.data), kAwait);
    if (ec) co_return broken(ec);
    co_return base::Result<>{};
  }

  base::Co<> close() override { return close_with(ws::close_reason(ws::close_code::normal)); }

  base::Co<> close(base::Error error) override {
    const auto code = static_cast<std::uint16_t>(kErrorCodeBase + static_cast<int>(error.code));
    const auto reason = shorten(error.message, kReasonBytesMax);
    ws::close_reason closing(static_cast<ws::close_code>(code));
    closing.reason.assign(reason.data(), reason.size());
    return close_with(closing);
  }

 private:
  base::Co<> close_with(ws::close_reason reason) {
    const auto [ec] = co_await stream_->async_close(reason, kAwait);
    if (ec && ec != asio::error::operation_aborted && ec != ws::error::closed) co_return broken(ec);
    co_return base::Result<>{};
  }

  base::Result<std::optional<Message>> closed() const {
    const auto& reason = stream_->reason();
    if (reason.code > kErrorCodeBase &&
        reason.code <= kErrorCodeBase + static_cast<int>(base::Code::kUnauthenticated)) {
      return base::fail(static_cast<base::Code>(reason.code - kErrorCodeBase),
                        std::string(reason.reason.data(), reason.reason.size()));
    }
    return std::optional<Message>();
  }

  std::unique_ptr<Stream> stream_;
  beast::flat_buffer buffer_;
};

std::unique_ptr<Stream> make_stream(Socket socket, base::Duration limit) {
  auto stream = std::make_unique<Stream>(std::move(socket));
  const auto seconds = std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit);
  stream->set_option(ws::stream_base::timeout{seconds, seconds, true});
  stream->read_message_max(kMessageBytesMax);
  return stream;
}

base::Code code_of_status(int status) {
  switch (status) {
    case 400: return base::Code::kInvalidArgument;
    case 401: return base::Code::kUnauthenticated;
    case 403: return base::Code::kPermissionDenied;
    case 404: return base::Code::kNotFound;
    case 409: return base::Code::kAborted;
    default: return base::Code::kUnavailable;
  }
}

}  // namespace

base::Co<std::unique_ptr<WebSocket>> accept_websocket(Socket socket, Request request, base::Duration limit) {
  beast::http::request<beast::http::empty_body> upgrade;
  upgrade.method(beast::http::verb::get);
  upgrade.target(request.target);
  upgrade.version(11);
  for (const auto& [name, value] : request.headers.fields()) upgrade.insert(name, value);
  auto stream = make_stream(std::move(socket), limit);
  const auto [ec] = co_await stream->async_accept(upgrade, kAwait);
  if (ec) co_return base::fail(base::Code::kInvalidArgument, "the WebSocket handshake failed: " + ec.message());
  co_return std::make_unique<BeastWebSocket>(std::move(stream));
}

base::Co<std::unique_ptr<WebSocket>> open_websocket(Socket socket, std::string host, std::string target,
                                                    Headers headers, base::Duration limit) {
  auto stream = make_stream(std::move(socket), limit);
  stream->set_option(ws::stream_base::decorator([headers = std::move(headers)](ws::request_type& request) {
    for (const auto& [name, value] : headers.fields()) request.set(name, value);
  }));
  ws::response_type response;
  const auto [ec] = co_await stream->async_handshake(response, host, target, kAwait);
  if (ec == ws::error::upgrade_declined) {
    const int status = static_cast<int>(response.result_int());
    co_return base::fail(code_of_status(status),
                         "the server refused the WebSocket with " + std::to_string(status) + ": " + response.body());
  }
  if (ec) co_return base::fail(base::Code::kUnavailable, "the WebSocket handshake failed: " + ec.message());
  co_return std::make_unique<BeastWebSocket>(std::move(stream));
}

}  // namespace orchion::wire
