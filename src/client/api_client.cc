#include "client/api_client.h"

#include <fmt/core.h>

#include "base/backoff.h"
#include "client/problem.h"
#include "client/rest_route.h"

namespace orchion::client {

namespace {

using base::Code;

constexpr std::size_t kAnswerBytesMax = 256u << 20;
constexpr std::size_t kProblemBytesMax = 1u << 20;

}  // namespace

ApiClient::ApiClient(base::Executor executor, Connection connection)
    : connection_(std::move(connection)), http_(executor, connection_.endpoint), random_(base::Random::from_system()) {}

ApiClient::~ApiClient() = default;

wire::Headers ApiClient::headers() const {
  wire::Headers headers;
  if (!connection_.token.empty()) headers.add("Authorization", "Bearer " + connection_.token);
  return headers;
}

// What the layer below says about sockets, and the server about tokens, as what the user can do.
base::Error ApiClient::explain(base::Error error) const {
  if (error.code == Code::kUnavailable && error.message.starts_with("nobody answers")) {
    error.message = fmt::format("no server answers at {}: start one with `orchion server`, or run `orchion up`",
                                connection_.address);
  } else if (error.code == Code::kUnauthenticated && connection_.token.empty()) {
    error.message = fmt::format(
        "the server at {} wants a token and none was found in {}: pass --token-file, or set "
        "ORCHION_TOKEN",
        connection_.address, connection_.token_wanted);
  }
  return error;
}

base::Co<wire::ClientResponse> ApiClient::send(wire::ClientRequest request, base::Duration limit) {
  auto response = co_await http_.send(std::move(request), limit);
  if (!response) co_return std::unexpected(explain(std::move(response).error()));
  if (response->status >= 200 && response->status < 300) co_return std::move(*response);
  CO_ASSIGN_OR_RETURN(const auto body, co_await wire::read_whole(*response->body, kProblemBytesMax));
  co_return std::unexpected(explain(error_of_answer(response->status, body)));
}

base::Co<std::string> ApiClient::attempt(wire::ClientRequest request, base::Duration limit) {
  CO_ASSIGN_OR_RETURN(auto response, co_await send(std::move(request), limit));
  co_return co_await wire::read_whole(*response.body, kAnswerBytesMax);
}

base::Co<std::string> ApiClient::call_json(std::string method, std::shared_ptr<const google::protobuf::Message> request,
                                           CallOptions options) {
  CO_ASSIGN_OR_RETURN(auto rest, make_rest_request(find_method(method), *request));
  wire::ClientRequest http{rest.verb, rest.target, headers(), rest.body, nullptr};
  http.headers.add("Accept", "application/json");
  if (!rest.body.empty()) http.headers.add("Content-Type", "application/json");
  const int tries = rest.verb == "GET" ? options.tries : 1;
  base::Backoff backoff({std::chrono::milliseconds(100), std::chrono::seconds(2)});
  for (int i = 1;; ++i) {
    auto answer = co_await attempt(http, options.limit);
    if (answer || answer.error().code != Code::kUnavailable || i >= tries) co_return answer;
    CO_RETURN_IF_ERROR(co_await clock_.sleep(backoff.next(random_)));
  }
}

base::Co<std::string> ApiClient::upload_json(std::string method, std::shared_ptr<const google::protobuf::Message> first,
                                             std::shared_ptr<wire::BodyReader> body, CallOptions options) {
  CO_ASSIGN_OR_RETURN(auto rest, make_rest_request(find_method(method), *first));
  wire::ClientRequest http{rest.verb, rest.target, headers(), "", std::move(body)};
  http.headers.add("Content-Type", "application/octet-stream");
  co_return co_await attempt(std::move(http), options.limit);
}

base::Co<std::unique_ptr<EventSource>> ApiClient::open_events(std::string method,
                                                              std::shared_ptr<const google::protobuf::Message> request,
                                                              std::string last_event_id) {
  CO_ASSIGN_OR_RETURN(auto rest, make_rest_request(find_method(method), *request));
  wire::ClientRequest http{rest.verb, rest.target, headers(), "", nullptr};
  http.headers.add("Accept", "text/event-stream");
  if (!last_event_id.empty()) http.headers.add("Last-Event-ID", last_event_id);
  CO_ASSIGN_OR_RETURN(auto response, co_await send(std::move(http), CallOptions().limit));
  co_return std::make_unique<EventSource>(std::move(response.body));
}

base::Co<std::unique_ptr<ExecSession>> ApiClient::exec(std::string method) {
  const auto rest = make_rest_request(find_method(method), v1::ExecInput());
  auto socket = co_await http_.websocket(rest->target, headers(), CallOptions().limit);
  if (!socket) co_return std::unexpected(explain(std::move(socket).error()));
  co_return std::make_unique<ExecSession>(std::move(*socket));
}

base::Result<> ApiClient::parse(const std::string& json, google::protobuf::Message& message) {
  return from_json(json, message);
}

}  // namespace orchion::client
