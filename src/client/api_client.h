#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <google/protobuf/message.h>

#include "base/clock.h"
#include "base/random.h"
#include "client/connection.h"
#include "client/event_stream.h"
#include "client/exec_session.h"

namespace orchion::client {

struct CallOptions {
  base::Duration limit = std::chrono::seconds(30);  // for the answer to begin, and for each piece of it
  int tries = 3;                                    // of requests that change nothing; others are sent once
};

// The typed API of one server. One executor; destroy it after its last call has returned.
// Errors carry the server's own sentence and code; kUnavailable says how to start a server.
class ApiClient {
 public:
  ApiClient(base::Executor executor, Connection connection);
  ~ApiClient();

  // A unary rpc: call<v1::GetStackRequest, v1::Stack>("orchion.v1.StackService.GetStack", request).
  template <class Request, class Response>
  base::Co<Response> call(std::string method, Request request, CallOptions options = {}) {
    auto json = co_await call_json(std::move(method), std::make_shared<Request>(std::move(request)), options);
    if (!json) co_return std::unexpected(json.error());
    Response response;
    if (auto parsed = parse(*json, response); !parsed) co_return std::unexpected(parsed.error());
    co_return response;
  }

  // The same, with the answer as the server sent it.
  base::Co<std::string> call_json(std::string method, std::shared_ptr<const google::protobuf::Message> request,
                                  CallOptions options = {});

  // A server-streaming rpc. Ends when the server ends it; doesn't resume.
  template <class Request, class Response>
  base::Co<EventStream<Response>> stream(std::string method, Request request) {
    auto events = co_await open_events(std::move(method), std::make_shared<Request>(std::move(request)), "");
    if (!events) co_return std::unexpected(events.error());
    co_return EventStream<Response>(std::move(*events));
  }

  // A client-streaming rpc: the first message's fields, then the bytes. The answer as the server sent it.
  base::Co<std::string> upload_json(std::string method, std::shared_ptr<const google::protobuf::Message> first,
                                    std::shared_ptr<wire::BodyReader> body, CallOptions options);

  // The two-way rpc of this name.
  base::Co<std::unique_ptr<ExecSession>> exec(std::string method);

  // For Watch: events from `last_event_id` on, where it isn't empty.
  base::Co<std::unique_ptr<EventSource>> open_events(std::string method,
                                                     std::shared_ptr<const google::protobuf::Message> request,
                                                     std::string last_event_id);

  const Connection& connection() const { return connection_; }

 private:
  static base::Result<> parse(const std::string& json, google::protobuf::Message& message);
  wire::Headers headers() const;
  base::Co<wire::ClientResponse> send(wire::ClientRequest request, base::Duration limit);
  base::Co<std::string> attempt(wire::ClientRequest request, base::Duration limit);
  base::Error explain(base::Error error) const;

  Connection connection_;
  wire::HttpClient http_;
  base::SystemClock clock_;
  base::Random random_;
};

}  // namespace orchion::client
