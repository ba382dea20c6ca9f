#include "wire/server_exchange.h"

#include <algorithm>
#include <cctype>

#include "wire/websocket.h"

namespace orchion::wire {

using base::Code;

// Holds the exchange; the connection is reached through it.
class ChunkWriter final : public BodyWriter {
 public:
  explicit ChunkWriter(std::shared_ptr<ServerExchange> exchange) : exchange_(std::move(exchange)) {}
  ~ChunkWriter() override {
    if (!exchange_->whole_ && !exchange_->ended_) exchange_->connection_->drop();
  }

  base::Co<> write(std::string piece) override { return exchange_->write_chunk(std::move(piece)); }
  base::Co<> end() override { return exchange_->write_last(); }

 private:
  std::shared_ptr<ServerExchange> exchange_;
};

ServerExchange::ServerExchange(Connection& connection, Request request)
    : connection_(connection.shared_from_this()), request_(std::move(request)) {}

base::Result<> ServerExchange::claim() {
  if (ended_) return base::fail(Code::kCancelled, "the request is over");
  if (std::exchange(claimed_, true)) return base::fail(Code::kInternal, "the request was answered twice");
  return {};
}

base::Co<> ServerExchange::respond(Response response) {
  CO_RETURN_IF_ERROR(claim());
  CO_RETURN_IF_ERROR(co_await connection_->write_response(response));
  whole_ = true;
  co_return base::Result<>{};
}

base::Co<std::unique_ptr<BodyWriter>> ServerExchange::begin(int status, Headers headers) {
  CO_RETURN_IF_ERROR(claim());
  CO_RETURN_IF_ERROR(co_await connection_->write_stream_head(status, headers));
  co_return std::make_unique<ChunkWriter>(shared_from_this());
}

base::Co<> ServerExchange::write_chunk(std::string piece) {
  if (ended_ || whole_) co_return base::fail(Code::kCancelled, "the response is over");
  if (piece.empty() || connection_->head_only_) co_return base::Result<>{};
  if (!connection_->chunked_) co_return co_await connection_->write({piece, {}, {}});
  const std::string head = chunk_head(piece.size());
  co_return co_await connection_->write({head, piece, "\r\n"});
}

base::Co<> ServerExchange::write_last() {
  if (ended_ || whole_) co_return base::fail(Code::kCancelled, "the response is over");
  if (connection_->chunked_ && !connection_->head_only_) {
    CO_RETURN_IF_ERROR(co_await connection_->write({"0\r\n\r\n", {}, {}}));
  }
  whole_ = true;
  co_return base::Result<>{};
}

bool ServerExchange::wants_websocket() const {
  const auto upgrade = request_.headers.find("Upgrade");
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return request_.method == "GET" && upgrade && std::ranges::equal(*upgrade, std::string_view("websocket"), {}, lower);
}

base::Co<std::unique_ptr<WebSocket>> ServerExchange::upgrade() {
  CO_RETURN_IF_ERROR(claim());
  connection_->end_watch();
  if (!connection_->inbox_.empty()) {
    co_return base::fail(Code::kInvalidArgument, "the client sent bytes before the WebSocket was open");
  }
  co_return co_await accept_websocket(std::move(connection_->socket_), request_, connection_->options_.stall_limit);
}

base::Co<std::optional<std::string>> ServerExchange::read() {
  if (ended_) co_return base::fail(Code::kCancelled, "the request is over");
  co_return co_await connection_->read_body();
}

ServerExchange::Answered ServerExchange::end() {
  ended_ = true;
  if (whole_) return Answered::kWhole;
  return claimed_ ? Answered::kPart : Answered::kNot;
}

}  // namespace orchion::wire
