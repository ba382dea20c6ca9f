// Streaming rpcs over HTTP: server-sent events, downloads, uploads, WebSockets.

#include <algorithm>

#include <google/protobuf/timestamp.pb.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/worker_pool.h"
#include "control/serving/problem.h"
#include "control/serving/request_binder.h"
#include "control/serving/rest_context.h"
#include "control/serving/rest_front.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;
using base::Code;
using CppType = pb::FieldDescriptor::CppType;

namespace {

// How long a stream may be silent before its head is sent: what fails at once still gets its proper status.
constexpr base::Duration kHeadWait = std::chrono::milliseconds(50);

const pb::FieldDescriptor* text_field(const pb::Descriptor& type, const std::string& name) {
  const auto* field = type.FindFieldByName(name);
  return field != nullptr && !field->is_repeated() && field->type() == pb::FieldDescriptor::TYPE_STRING ? field
                                                                                                        : nullptr;
}

const pb::FieldDescriptor* time_field(const pb::Descriptor& type, const std::string& name) {
  const auto* field = type.FindFieldByName(name);
  return field != nullptr && !field->is_repeated() && field->message_type() == pb::Timestamp::descriptor() ? field
                                                                                                           : nullptr;
}

// The message's `id`; where it has none, its `time`: what a reader sends back as Last-Event-ID to go on.
std::string event_id(const pb::Message& message) {
  const auto& type = *message.GetDescriptor();
  const auto& reflection = *message.GetReflection();
  if (const auto* id = text_field(type, "id")) return reflection.GetString(message, id);
  const auto* time = time_field(type, "time");
  if (time == nullptr || !reflection.HasField(message, time)) return "";
  const auto& stamp = static_cast<const pb::Timestamp&>(reflection.GetMessage(message, time));
  std::string out;
  append_timestamp(stamp.seconds(), stamp.nanos(), out);
  return out;
}

// The message's `kind`, else the name of its `type`.
std::string event_name(const pb::Message& message) {
  const auto& type = *message.GetDescriptor();
  const auto& reflection = *message.GetReflection();
  if (const auto* kind = text_field(type, "kind")) {
    if (auto name = reflection.GetString(message, kind); !name.empty()) return name;
  }
  const auto* field = type.FindFieldByName("type");
  if (field == nullptr || field->is_repeated() || field->cpp_type() != CppType::CPPTYPE_ENUM) return "";
  return reflection.GetEnum(message, field)->name();
}

// The stream goes on after the event the reader saw last.
base::Result<> resume(pb::Message& request, const wire::Request& http) {
  const auto last = http.headers.find("Last-Event-ID");
  if (!last || last->empty()) return {};
  const auto& type = *request.GetDescriptor();
  if (text_field(type, "since") == nullptr && time_field(type, "since") == nullptr) return {};
  return set_parameter(request, "since", std::string(*last));
}

std::string error_event(const base::Error& error) {
  return wire::format_event({"", "error", problem_document(error, http_status(error.code))});
}

// The bytes that a two-way rpc is there for; nullptr where it has none.
const pb::FieldDescriptor* data_field(const pb::Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName("data");
  const bool is_bytes = field != nullptr && !field->is_repeated() && field->type() == pb::FieldDescriptor::TYPE_BYTES;
  return is_bytes ? field : nullptr;
}

// What came in a binary frame.
base::Result<> set_data(pb::Message& message, std::string bytes) {
  const auto* field = data_field(message);
  if (field == nullptr) return base::fail(Code::kInvalidArgument, "send text frames that hold JSON");
  message.GetReflection()->SetString(&message, field, std::move(bytes));
  return {};
}

// What goes out in one; nullopt where the message says something else.
std::optional<std::string> take_data(pb::Message& message) {
  const auto* field = data_field(message);
  if (field == nullptr || !message.GetReflection()->HasField(message, field)) return std::nullopt;
  std::string unused;
  return message.GetReflection()->GetStringReference(message, field, &unused);
}

bool wants_binary(const wire::Target& target) {
  return std::ranges::find(target.query, std::pair<std::string, std::string>("binary", "true")) != target.query.end();
}

}  // namespace

base::Co<std::unique_ptr<ControlCall>> RestFront::begin_call(ExchangePtr exchange, RouteMatch match,
                                                             wire::Target target) {
  const auto& method = *match.route->method;
  CO_ASSIGN_OR_RETURN(auto identity, co_await calls_.admitted(method, authorization_of(exchange->request())));
  CO_ASSIGN_OR_RETURN(auto context, context_of(exchange->request(), method));
  CO_ASSIGN_OR_RETURN(auto message, bind_request(match, target.query, ""));
  CO_RETURN_IF_ERROR(resume(*message, exchange->request()));
  context.identity = std::move(identity);
  const auto here = co_await base::this_executor();
  auto call = calls_.start(here, method, std::move(context));
  // A handler that has ended already says why when it is asked for its answer.
  (void)co_await call->send(std::move(message));
  co_return call;
}

base::Co<> RestFront::events(ExchangePtr exchange, RouteMatch match, wire::Target target) {
  auto call = co_await begin_call(exchange, std::move(match), std::move(target));
  if (!call) co_return co_await respond_error(exchange, call.error());
  (*call)->finish();
  co_return co_await send_events(exchange, std::move(*call));
}

void RestFront::append_event(const Reply& reply, std::string& out) {
  const auto format = [this](const pb::Message& message) {
    return wire::format_event({event_id(message), event_name(message), printer_.print(message)});
  };
  if (const auto* shared = std::get_if<core::SharedMessagePtr>(&reply)) {
    out += (*shared)->as(core::SharedMessage::Form::kEvent, format);
  } else {
    out += format(*std::get<core::MessagePtr>(reply));
  }
}

base::Co<> RestFront::send_events(ExchangePtr exchange, std::unique_ptr<ControlCall> call) {
  auto batch = co_await call->receive_all(kHeadWait);
  if (!batch) co_return co_await respond_error(exchange, batch.error());
  wire::Headers headers;
  headers.add("Content-Type", "text/event-stream");
  headers.add("Cache-Control", "no-store");
  CO_ASSIGN_OR_RETURN(auto writer, co_await exchange->begin(200, std::move(headers)));
  // The first piece says that the stream stands, also where nothing has happened yet.
  std::string piece = ": ok\n\n";
  while (batch && *batch) {
    for (const auto& reply : **batch) append_event(reply, piece);
    CO_RETURN_IF_ERROR(co_await writer->write(std::move(piece)));
    batch = co_await call->receive_all(options_.keep_alive);
    piece = batch && *batch && (*batch)->empty() ? ": still here\n\n" : "";
  }
  if (!batch) {
    piece += error_event(batch.error());
  }
  CO_RETURN_IF_ERROR(co_await writer->write(std::move(piece)));
  co_return co_await writer->end();
}

base::Co<> RestFront::download(ExchangePtr exchange, RouteMatch match, wire::Target target) {
  const auto& route = *match.route;
  auto begun = co_await begin_call(exchange, std::move(match), std::move(target));
  if (!begun) co_return co_await respond_error(exchange, begun.error());
  const auto call = std::move(*begun);
  call->finish();
  // The status is known with the first piece: what fails at once is a proper problem.
  auto piece = co_await call->receive();
  if (!piece) co_return co_await respond_error(exchange, piece.error());
  wire::Headers headers;
  headers.add("Content-Type", route.media_type);
  headers.add("Cache-Control", "no-store");
  CO_ASSIGN_OR_RETURN(const auto writer, co_await exchange->begin(200, std::move(headers)));
  while (piece && *piece) {
    auto& message = ***piece;
    CO_RETURN_IF_ERROR(co_await writer->write(message.GetReflection()->GetString(message, route.data)));
    piece = co_await call->receive();
  }
  if (!piece) co_return std::unexpected(piece.error());
  co_return co_await writer->end();
}

base::Co<> RestFront::upload(ExchangePtr exchange, RouteMatch match, wire::Target target) {
  const auto& route = *match.route;
  auto begun = co_await begin_call(exchange, std::move(match), std::move(target));
  if (!begun) co_return co_await respond_error(exchange, begun.error());
  const auto call = std::move(*begun);
  base::Result<> taken;
  while (taken) {
    auto piece = co_await exchange->body().read();
    // Half an upload must not look like a whole one.
    if (!piece) call->finish(piece.error());
    if (!piece) co_return co_await respond_error(exchange, piece.error());
    if (!*piece) break;
    auto message = route.method->new_request();
    message->GetReflection()->SetString(message.get(), route.data, std::move(**piece));
    // A handler that has ended says why below.
    taken = co_await call->send(std::move(message));
  }
  call->finish();
  auto response = co_await call->receive();
  if (!response) co_return co_await respond_error(exchange, response.error());
  if (!*response) {
    base::Error silent{Code::kInternal, "the handler gave no answer", {}};
    co_return co_await respond_error(exchange, std::move(silent));
  }
  co_return co_await respond_message(exchange, std::move(**response));
}

base::Co<> RestFront::websocket(ExchangePtr exchange, RouteMatch match, wire::Target target) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  const auto& method = *match.route->method;
  auto identity = co_await calls_.admitted(method, authorization_of(exchange->request()));
  if (!identity) co_return co_await respond_error(exchange, identity.error());
  if (!exchange->wants_websocket()) {
    base::Error plain{Code::kInvalidArgument, "this is a two-way stream: open it as a WebSocket", {}};
    auto response = problem(plain, 426);
    response.headers.add("Upgrade", "websocket");
    co_return co_await exchange->respond(std::move(response));
  }
  CO_ASSIGN_OR_RETURN(const auto socket, co_await exchange->upgrade());
  core::CallContext context;
  context.identity = std::move(*identity);
  const auto here = co_await base::this_executor();
  const auto call = calls_.start(here, method, std::move(context));
  // Each ends the other: the end of the call closes the socket, the end of the socket ends the requests.
  auto [requests, responses] = co_await (pump_requests(socket.get(), call.get(), &method) &&
                                         pump_responses(socket.get(), call.get(), wants_binary(target)));
  (void)requests;
  co_return responses;
}

base::Co<> RestFront::pump_requests(wire::WebSocket* socket, ControlCall* call, const core::Method* method) {
  while (true) {
    auto frame = co_await socket->receive();
    if (!frame) call->cancel(frame.error());
    if (!frame) co_return base::Result<>{};
    if (!*frame) call->finish();
    if (!*frame) co_return base::Result<>{};
    auto message = method->new_request();
    auto parsed =
        (*frame)->binary ? set_data(*message, std::move((*frame)->data)) : parse_json((*frame)->data, *message);
    if (!parsed) {
      call->cancel(parsed.error());
    } else {
      // Where the handler has ended, the other half closes the socket, and this ends with it.
      (void)co_await call->send(std::move(message));
    }
  }
}

base::Co<> RestFront::pump_responses(wire::WebSocket* socket, ControlCall* call, bool binary) {
  while (true) {
    auto message = co_await call->receive();
    if (!message) co_return co_await socket->close(message.error());
    if (!*message) co_return co_await socket->close();
    auto data = binary ? take_data(***message) : std::nullopt;
    wire::WebSocket::Message frame{data ? std::move(*data) : printer_.print(***message), data.has_value()};
    if (auto sent = co_await socket->send(std::move(frame)); !sent) {
      call->cancel(sent.error());
      co_return sent;
    }
  }
}

}  // namespace orchion::control::serving
