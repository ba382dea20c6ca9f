#include "client/api_client.h"

#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/util/json_util.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "base/backoff.h"
#include "client/route.h"

namespace orchion::client {

namespace {

constexpr auto kCallLimit = std::chrono::seconds(60);
// Pulling and importing images takes as long as the network and the disk do.
constexpr auto kUploadLimit = std::chrono::hours(1);
constexpr std::size_t kResponseBytesMax = 256u << 20;

std::string text_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// The canonical code by its name; kUnknown for names of a newer server.
base::Code code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(base::Code::kUnauthenticated); ++i) {
    if (base::code_name(static_cast<base::Code>(i)) == name) return static_cast<base::Code>(i);
  }
  return base::Code::kUnknown;
}

// For answers that didn't come from orchion itself: a proxy between, another program on the port.
base::Code code_of_status(int status) {
  switch (status) {
    case 401: return base::Code::kUnauthenticated;
    case 403: return base::Code::kPermissionDenied;
    case 404: return base::Code::kNotFound;
    case 409: return base::Code::kAlreadyExists;
    case 412: return base::Code::kAborted;
    case 502:
    case 503: return base::Code::kUnavailable;
    case 504: return base::Code::kDeadlineExceeded;
    default: return base::Code::kUnknown;
  }
}

// An RFC 9457 problem as an Error.
base::Error error_of(int status, std::string_view body) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(body, ec);
  if (ec || !value.is_object())
    return {code_of_status(status), fmt::format("the server answered {} without saying why: see its log", status), {}};
  const auto& problem = value.as_object();
  const auto code = text_of(problem, "code");
  base::Error error{code.empty() ? code_of_status(status) : code_of(code), text_of(problem, "detail"), {}};
  if (error.message.empty()) error.message = fmt::format("the server answered {}", status);
  if (const auto* fields = problem.if_contains("errors"); fields != nullptr && fields->is_array()) {
    for (const auto& field : fields->as_array()) {
      if (field.is_object())
        error.fields.push_back({text_of(field.as_object(), "pointer"), text_of(field.as_object(), "detail")});
    }
  }
  return error;
}

constexpr int kTries = 3;

// What the layer below says where no connection came about.
bool is_nobody_there(const base::Error& error) {
  return error.code == base::Code::kUnavailable && error.message.starts_with("nobody answers");
}

// Pulls answer late, since the work is done before the answer; everything else answers at once.
base::Duration limit_of(const std::string& method) {
  return method.find(".ImageService.") != std::string::npos ? base::Duration(kUploadLimit) : base::Duration(kCallLimit);
}

base::Co<std::string> checked_body(wire::ClientResponse response) {
  CO_ASSIGN_OR_RETURN(auto body, co_await wire::read_whole(*response.body, kResponseBytesMax));
  if (response.status >= 300) co_return std::unexpected(error_of(response.status, body));
  co_return body;
}

}  // namespace

base::Result<> parse_json(std::string_view json, google::protobuf::Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(json), &message, options);
  if (!parsed.ok())
    return base::fail(base::Code::kInternal, fmt::format("cannot read the server's answer: {}", parsed.ToString()));
  return {};
}

base::Co<std::optional<wire::ServerSentEvent>> EventReader::next() {
  while (taken_ == ready_.size()) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body_->read());
    if (!piece) co_return std::optional<wire::ServerSentEvent>();
    ready_ = parser_.feed(*piece);
    taken_ = 0;
  }
  auto event = std::move(ready_[taken_++]);
  if (event.event == "error") co_return std::unexpected(error_of(500, event.data));
  co_return std::optional(std::move(event));
}

ApiClient::ApiClient(base::Executor executor, Connection connection)
    : connection_(std::move(connection)), http_(executor, connection_.endpoint) {}

ApiClient::~ApiClient() = default;

// Errors of sockets and tokens as what the user can do about them.
base::Error ApiClient::explain(base::Error error) const {
  if (is_nobody_there(error)) {
    error.message = fmt::format("no server answers at {}: start one with `orchion server`, or with `orchion up`",
                                connection_.description);
  } else if (error.code == base::Code::kUnauthenticated && connection_.token.empty()) {
    error.message = fmt::format("the server at {} wants a token: give one with --token-file or ORCHION_TOKEN",
                                connection_.description);
  }
  return error;
}

base::Co<wire::ClientResponse> ApiClient::send(wire::ClientRequest request, base::Duration limit) {
  if (!connection_.token.empty()) request.headers.set("Authorization", "Bearer " + connection_.token);
  co_return co_await http_.send(std::move(request), limit);
}

base::Co<std::string> ApiClient::attempt(wire::ClientRequest request, base::Duration limit) {
  CO_ASSIGN_OR_RETURN(auto response, co_await send(std::move(request), limit));
  co_return co_await checked_body(std::move(response));
}

base::Co<std::string> ApiClient::call_json(std::string method,
                                           std::shared_ptr<const google::protobuf::Message> request) {
  CO_ASSIGN_OR_RETURN(auto rest, rest_call(method, *request));
  wire::ClientRequest http{rest.verb, rest.target, {}, std::move(rest.body), nullptr};
  if (!http.body.empty()) http.headers.set("Content-Type", "application/json");
  base::Backoff backoff({std::chrono::milliseconds(100), std::chrono::seconds(2)});
  for (int tries = rest.verb == "GET" ? kTries : 1;; --tries) {
    auto answer = co_await attempt(http, limit_of(method));
    if (answer) co_return answer;
    const bool may_pass = answer.error().code == base::Code::kUnavailable && !is_nobody_there(answer.error());
    if (!may_pass || tries <= 1) co_return std::unexpected(explain(std::move(answer).error()));
    CO_RETURN_IF_ERROR(co_await clock_.sleep(backoff.next(random_)));
  }
}

base::Co<std::unique_ptr<EventReader>> ApiClient::open_events(std::string method,
                                                              std::shared_ptr<const google::protobuf::Message> request,
                                                              std::string last_event_id) {
  CO_ASSIGN_OR_RETURN(auto rest, rest_call(method, *request));
  wire::ClientRequest http{rest.verb, rest.target, {}, {}, nullptr};
  http.headers.set("Accept", "text/event-stream");
  if (!last_event_id.empty()) http.headers.set("Last-Event-ID", last_event_id);
  CO_ASSIGN_OR_RETURN(auto body, co_await open_body(std::move(http), kCallLimit));
  co_return std::make_unique<EventReader>(std::move(body));
}

// The answer's body, where the server means well.
base::Co<std::unique_ptr<wire::BodyReader>> ApiClient::open_body(wire::ClientRequest request, base::Duration limit) {
  auto response = co_await send(std::move(request), limit);
  if (!response) co_return std::unexpected(explain(std::move(response).error()));
  if (response->status < 300) co_return std::move(response->body);
  auto body = co_await checked_body(std::move(*response));
  co_return std::unexpected(explain(std::move(body).error()));
}

base::Co<std::unique_ptr<wire::BodyReader>> ApiClient::download(
    std::string method, std::shared_ptr<const google::protobuf::Message> request) {
  CO_ASSIGN_OR_RETURN(auto rest, rest_call(method, *request));
  wire::ClientRequest http{rest.verb, rest.target, {}, {}, nullptr};
  co_return co_await open_body(std::move(http), kUploadLimit);
}

base::Co<std::string> ApiClient::upload(std::string method, std::shared_ptr<const google::protobuf::Message> first,
                                        std::shared_ptr<wire::BodyReader> body) {
  CO_ASSIGN_OR_RETURN(auto rest, rest_call(method, *first));
  wire::ClientRequest http{rest.verb, rest.target, {}, {}, std::move(body)};
  http.headers.set("Content-Type", "application/octet-stream");
  auto answer = co_await attempt(std::move(http), kUploadLimit);
  if (!answer) co_return std::unexpected(explain(std::move(answer).error()));
  co_return answer;
}

base::Co<std::unique_ptr<wire::WebSocket>> ApiClient::open_socket(std::string method, Frames frames) {
  CO_ASSIGN_OR_RETURN(auto rest, rest_call(method, google::protobuf::Empty()));
  wire::Headers headers;
  if (!connection_.token.empty()) headers.set("Authorization", "Bearer " + connection_.token);
  if (frames == Frames::kBinary) rest.target += "?binary=true";
  auto socket = co_await http_.websocket(rest.target, headers, kCallLimit);
  if (!socket) co_return std::unexpected(explain(std::move(socket).error()));
  co_return socket;
}

}  // namespace orchion::client
