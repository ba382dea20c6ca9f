#include "control/serving/rest_front.h"

#include <charconv>

#include "base/worker_pool.h"
#include "control/serving/http_guard.h"
#include "control/serving/openapi.h"
#include "control/serving/operation_headers.h"
#include "control/serving/problem.h"
#include "control/serving/request_binder.h"
#include "control/serving/rest_context.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;
using base::Code;

namespace {

constexpr std::size_t kAnswersBytesMax = 4u << 20;

wire::Response text_response(int status, std::string text, std::string type) {
  wire::Response response{status, {}, std::move(text)};
  response.headers.add("Content-Type", std::move(type));
  return response;
}

wire::Response json_response(std::string body) {
  return text_response(200, std::move(body), "application/json");
}

bool is_page(const std::vector<std::string>& path) {
  return path.size() == 1 && (path[0] == "livez" || path[0] == "readyz" || path[0] == "openapi.json");
}

// meta.revision, where the message has one: what isn't stored has none.
std::optional<std::uint64_t> revision_of(const pb::Message& message) {
  const auto* meta = message.GetDescriptor()->FindFieldByName("meta");
  if (meta == nullptr || meta->is_repeated() || meta->message_type() == nullptr) return std::nullopt;
  const auto* revision = meta->message_type()->FindFieldByName("revision");
  const auto& reflection = *message.GetReflection();
  if (revision == nullptr || revision->cpp_type() != pb::FieldDescriptor::CPPTYPE_UINT64 ||
      !reflection.HasField(message, meta)) {
    return std::nullopt;
  }
  const auto& value = reflection.GetMessage(message, meta);
  const auto number = value.GetReflection()->GetUInt64(value, revision);
  return number == 0 ? std::nullopt : std::optional<std::uint64_t>(number);
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

}  // namespace

std::optional<std::string> authorization_of(const wire::Request& request) {
  const auto value = request.headers.find("Authorization");
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

base::Result<core::CallContext> context_of(const wire::Request& request, const core::Method& method) {
  core::CallContext context;
  const auto key = request.headers.find("Idempotency-Key");
  const auto tag = request.headers.find("If-Match");
  RETURN_IF_ERROR(check_headers(*method.descriptor, {tag.has_value(), key.has_value()}));
  if (key) context.idempotency_key = std::string(*key);
  if (!tag || *tag == "*") return context;
  std::uint64_t revision = 0;
  const auto digits = tag->size() > 2 ? tag->substr(1, tag->size() - 2) : std::string_view();
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), revision);
  if (digits.empty() || !tag->starts_with('"') || !tag->ends_with('"') || error != std::errc() ||
      end != digits.data() + digits.size()) {
    return base::fail(Code::kInvalidArgument,
                      "the If-Match header is none of this server's ETags: send one as it came, quotes included");
  }
  context.if_match = revision;
  return context;
}

RestFront::RestFront(ControlCalls& calls, const core::MethodTable& methods, RestOptions options)
    : calls_(calls), routes_(methods), options_(std::move(options)), answers_(kAnswersBytesMax) {}

base::Co<> RestFront::handle(ExchangePtr exchange) {
  const auto& request = exchange->request();
  auto target = wire::parse_target(request.target);
  if (!target) co_return co_await respond_error(exchange, target.error());
  if (is_page(target->path)) co_return co_await respond_page(exchange, target->path[0]);
  if (auto checked = check_origin(request, exchange->wants_websocket(), options_.allowed_hosts); !checked) {
    co_return co_await respond_error(exchange, checked.error());
  }
  co_return co_await route(exchange, std::move(*target));
}

// What needs neither token nor route. Nothing here tells a page of another origin more than that a server is there.
base::Co<> RestFront::respond_page(ExchangePtr exchange, std::string path) {
  const auto& method = exchange->request().method;
  if (method != "GET" && method != "HEAD") {
    auto response = problem({Code::kUnimplemented, "/" + path + " can only be read: use GET", {}}, 405);
    response.headers.add("Allow", "GET");
    co_return co_await exchange->respond(std::move(response));
  }
  if (path == "openapi.json") {
    // Few ask, and what it takes to make it is as much memory as the text itself.
    if (openapi_.empty()) openapi_ = openapi_document(routes_, options_.version);
    auto response = json_response(openapi_);
    co_return co_await exchange->respond(std::move(response));
  }
  const auto ready = path == "readyz" ? options_.ready() : base::Result<>();
  auto response =
      text_response(ready ? 200 : 503, ready ? "ok\n" : ready.error().message + "\n", "text/plain; charset=utf-8");
  co_return co_await exchange->respond(std::move(response));
}

base::Co<> RestFront::route(ExchangePtr exchange, wire::Target target) {
  const auto& request = exchange->request();
  auto match = routes_.match(request.method, target.path);
  if (match.route != nullptr) co_return co_await serve(exchange, std::move(match), std::move(target));
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (match.allowed.empty()) {
    base::Error nothing{Code::kNotFound, "there is nothing at " + path + ": /openapi.json lists what there is", {}};
    co_return co_await respond_error(exchange, std::move(nothing));
  }
  auto response = problem(
      {Code::kUnimplemented, path + " does not know " + request.method + ": use " + join(match.allowed), {}}, 405);
  response.headers.add("Allow", join(match.allowed));
  co_return co_await exchange->respond(std::move(response));
}

base::Co<> RestFront::serve(ExchangePtr exchange, RouteMatch match, wire::Target target) {
  switch (match.route->kind) {
    case RouteKind::kUnary: return unary(exchange, std::move(match), std::move(target));
    case RouteKind::kEvents: return events(exchange, std::move(match), std::move(target));
    case RouteKind::kDownload: return download(exchange, std::move(match), std::move(target));
    case RouteKind::kUpload: return upload(exchange, std::move(match), std::move(target));
    case RouteKind::kWebSocket: break;
  }
  return websocket(exchange, std::move(match), std::move(target));
}

base::Co<> RestFront::unary(ExchangePtr exchange, RouteMatch match, wire::Target target) {
  const auto& method = *match.route->method;
  const auto authorization = authorization_of(exchange->request());
  auto context = context_of(exchange->request(), method);
  std::string body;
  bool known = false;
  if (match.route->has_body() || !context) {
    // Nothing is read, or said about it, before the caller is known.
    auto admitted = co_await calls_.admitted(method, authorization);
    if (!admitted) co_return co_await respond_error(exchange, admitted.error());
    known = true;
    if (!context) co_return co_await respond_error(exchange, context.error());
    auto read = co_await wire::read_whole(exchange->body(), options_.body_bytes_max);
    if (!read && read.error().code == Code::kResourceExhausted) {
      auto too_large = problem(read.error(), 413);
      co_return co_await exchange->respond(std::move(too_large));
    }
    if (!read) co_return co_await respond_error(exchange, read.error());
    body = std::move(*read);
  }
  auto message = bind_request(match, target.query, body);
  if (!message && !known) {
    auto admitted = co_await calls_.admitted(method, authorization);
    if (!admitted) co_return co_await respond_error(exchange, admitted.error());
  }
  if (!message) co_return co_await respond_error(exchange, message.error());
  const auto here = co_await base::this_executor();
  const auto last = exchange->request().method == "GET" ? answers_.find(exchange->request().target) : nullptr;
  const auto call =
      calls_.start(here, method, std::move(*context), authorization, std::move(*message), last ? last->bookmark : "");
  auto response = co_await call->receive();
  if (!response) co_return co_await respond_error(exchange, response.error());
  if (!*response && last) {
    auto again = json_response(last->body);
    co_return co_await exchange->respond(std::move(again));
  }
  if (!*response) {
    base::Error silent{Code::kInternal, "the handler gave no answer", {}};
    co_return co_await respond_error(exchange, std::move(silent));
  }
  co_return co_await respond_message(exchange, std::move(**response));
}

base::Co<> RestFront::respond_message(ExchangePtr exchange, core::MessagePtr message) {
  auto response = json_response({});
  if (const auto revision = revision_of(*message)) {
    response.headers.add("ETag", "\"" + std::to_string(*revision) + "\"");
  }
  printer_.append(*message, response.body);
  auto bookmark = bookmark_of(*message);
  if (!bookmark.empty() && exchange->request().method == "GET")
    answers_.put(exchange->request().target, {std::move(bookmark), response.body});
  co_return co_await exchange->respond(std::move(response));
}

base::Co<> RestFront::respond_error(ExchangePtr exchange, base::Error error) {
  // Who sent If-Match and lost gets the answer HTTP has for that.
  const bool lost = error.code == Code::kAborted && exchange->request().headers.find("If-Match");
  auto response = lost ? problem(error, 412) : problem(error);
  co_return co_await exchange->respond(std::move(response));
}

}  // namespace orchion::control::serving
