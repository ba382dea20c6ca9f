#include "wire/single_request.h"

#include <algorithm>

#include "wire/message_parser.h"
#include "wire/socket_io.h"

namespace orchion::wire {

namespace {

constexpr int kFirstFinalStatus = 200;
constexpr int kSwitchingProtocols = 101;

std::string head_of(const ClientRequest& request) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
  append_headers(request.headers.fields(), head);
  return head + "Connection: close\r\n\r\n";
}

std::unexpected<base::Error> no_http() {
  return base::fail(base::Code::kDataLoss, "what answers doesn't speak HTTP/1");
}

}  // namespace

SingleRequest::SingleRequest(std::shared_ptr<RawStream> connection, Bounds bounds)
    : connection_(std::move(connection)),
      bounds_(bounds),
      parser_(std::make_unique<MessageParser>(MessageParser::Kind::kResponse, bounds.head_bytes_max)) {}

SingleRequest::~SingleRequest() = default;

base::Co<int> SingleRequest::send(ClientRequest request) {
  if (request.method == "HEAD") parser_->expect_no_body();
  CO_RETURN_IF_ERROR(co_await connection_->write(head_of(request)));
  while (true) {
    while (!parser_->head_done()) {
      CO_ASSIGN_OR_RETURN(const bool more, co_await read_more());
      if (!more) co_return base::fail(base::Code::kUnavailable, "the connection was closed without an answer");
    }
    const int status = parser_->head().status;
    if (status >= kFirstFinalStatus || status == kSwitchingProtocols) {
      take_body();
      co_return status;
    }
    // "100 Continue" and its like stand before the answer.
    parser_ = std::make_unique<MessageParser>(MessageParser::Kind::kResponse, bounds_.head_bytes_max);
  }
}

base::Co<> SingleRequest::read_body() {
  while (!parser_->done() && body_.size() < bounds_.body_bytes_max) {
    CO_ASSIGN_OR_RETURN(const bool more, co_await read_more());
    take_body();
    if (!more) break;
  }
  co_return base::Result<>{};
}

void SingleRequest::take_body() {
  const auto piece = parser_->take_body();
  body_.append(piece, 0, std::min(piece.size(), bounds_.body_bytes_max - body_.size()));
}

// False: the connection has ended.
base::Co<bool> SingleRequest::read_more() {
  if (left_.empty()) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await connection_->read());
    if (!piece) {
      if (parser_->begun() && !parser_->head_done()) co_return no_http();
      co_return false;
    }
    left_ = std::move(*piece);
  }
  const auto used = parser_->put(left_);
  if (!used && used.error().code == base::Code::kResourceExhausted)
    co_return base::fail(base::Code::kDataLoss, "the head of the answer is endless");
  if (!used) co_return no_http();
  if (*used > 0) {
    left_.erase(0, *used);
    co_return true;
  }
  // It wants more at once than is there.
  CO_ASSIGN_OR_RETURN(auto piece, co_await connection_->read());
  if (!piece) co_return false;
  left_ += *piece;
  if (left_.size() > 2 * bounds_.head_bytes_max)
    co_return base::fail(base::Code::kDataLoss, "the head of the answer is endless");
  co_return true;
}

}  // namespace orchion::wire
