#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "base/clock.h"
#include "base/random.h"
#include "client/connection.h"
#include "wire/http_client.h"

namespace orchion::client {

// Parses proto3 JSON as servers print it; fields this client doesn't know are passed over, since the server may be
// newer.
base::Result<> parse_json(std::string_view json, google::protobuf::Message& message);

// Messages of a server-sent stream, as they arrive.
class EventReader {
 public:
  explicit EventReader(std::unique_ptr<wire::BodyReader> body) : body_(std::move(body)) {}

  // nullopt: the server ended the stream. The event's data is one message as JSON. An error that the server sent as
  // the stream's last event comes back as that error.
  base::Co<std::optional<wire::ServerSentEvent>> next();

 private:
  std::unique_ptr<wire::BodyReader> body_;
  wire::EventParser parser_;
  std::vector<wire::ServerSentEvent> ready_;
  std::size_t taken_ = 0;
};

// One server. One executor.
class ApiClient {
 public:
  ApiClient(base::Executor executor, Connection connection);
  ~ApiClient();

  // A unary rpc by its full name. kUnavailable where nobody answers, with what to do.
  template <class Response>
  base::Co<Response> call(std::string method, std::shared_ptr<const google::protobuf::Message> request) {
    auto text = co_await call_json(std::move(method), std::move(request));
    if (!text) co_return std::unexpected(text.error());
    Response response;
    if (auto parsed = parse_json(*text, response); !parsed) co_return std::unexpected(parsed.error());
    co_return response;
  }

  // The same; `request` by value for the common case.
  template <class Response, class Request>
  base::Co<Response> call(std::string method, Request request) {
    return call<Response>(std::move(method),
                          std::shared_ptr<const google::protobuf::Message>(new Request(std::move(request))));
  }

  // The response's body exactly as the server sent it. A GET that a dying or starting server left unanswered is
  // repeated a few times; nothing else is.
  base::Co<std::string> call_json(std::string method, std::shared_ptr<const google::protobuf::Message> request);

  // A server-streaming rpc. `last_event_id` resumes after that event; empty: from the beginning.
  base::Co<std::unique_ptr<EventReader>> open_events(std::string method,
                                                     std::shared_ptr<const google::protobuf::Message> request,
                                                     std::string last_event_id);

  // A client-streaming rpc: `first` fills the query, `body` is the data. Returns the response's JSON.
  base::Co<std::string> upload(std::string method, std::shared_ptr<const google::protobuf::Message> first,
                               std::shared_ptr<wire::BodyReader> body);

  // A server-streaming rpc that sends a file: its bytes. A reader that fails got a part of it.
  base::Co<std::unique_ptr<wire::BodyReader>> download(std::string method,
                                                       std::shared_ptr<const google::protobuf::Message> request);

  // A two-way rpc: text frames, each one message as JSON. With kBinary what comes in a message's `data` comes as a
  // binary frame instead; it may be sent so either way.
  enum class Frames { kText, kBinary };
  base::Co<std::unique_ptr<wire::WebSocket>> open_socket(std::string method, Frames frames = Frames::kText);

  const Connection& connection() const { return connection_; }

 private:
  base::Co<wire::ClientResponse> send(wire::ClientRequest request, base::Duration limit);
  base::Co<std::unique_ptr<wire::BodyReader>> open_body(wire::ClientRequest request, base::Duration limit);
  base::Co<std::string> attempt(wire::ClientRequest request, base::Duration limit);
  base::Error explain(base::Error error) const;

  Connection connection_;
  wire::HttpClient http_;
  base::SystemClock clock_;
  base::Random random_ = base::Random::from_system();
};

}  // namespace orchion::client
