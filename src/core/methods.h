#pragma once

// The table of rpc handlers: written once, served as gRPC, as REST, and called in process. Handlers know
// neither gRPC nor HTTP; what serves them knows no resource.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/stream.h"
#include "core/known_enums.h"

namespace orchion::core {

// Who calls, as found by authentication, and what came beside the message.
struct CallContext {
  std::string identity;                   // "admin"; empty: nobody was asked (a public rpc)
  std::optional<std::uint64_t> if_match;  // the revision the caller saw
  std::optional<std::string> idempotency_key;
  bool led_on = false;  // by another server, which has let the caller in
};

using MessagePtr = std::unique_ptr<google::protobuf::Message>;

// The server's end of any rpc: a unary one receives one message and sends one.
using MessageStream = base::Stream<MessagePtr, MessagePtr>;

// Runs to the end of a call. The caller then finishes the stream, with the error where there is one.
using Handler = std::function<base::Co<>(CallContext, std::shared_ptr<MessageStream>)>;

struct Method {
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  MessagePtr (*new_request)() = nullptr;
  MessagePtr (*new_response)() = nullptr;
  Handler call;
};

// A typed view of a MessageStream; shares it.
template <class In, class Out>
class TypedStream {
 public:
  explicit TypedStream(std::shared_ptr<MessageStream> stream) : stream_(std::move(stream)) {}

  base::Co<std::optional<In>> receive() {
    auto received = co_await stream_->receive();
    if (!received) co_return std::unexpected(received.error());
    if (!*received) co_return std::optional<In>();
    co_return std::optional<In>(std::move(static_cast<In&>(***received)));
  }

  base::Co<> send(Out message) { return stream_->send(std::make_unique<Out>(std::move(message))); }

 private:
  std::shared_ptr<MessageStream> stream_;
};

// Filled once at start, read-only afterwards. Handlers run on the executor of the coroutine that calls them.
class MethodTable {
 public:
  // `name` is the full name of the rpc: "orchion.v1.StackService.GetStack". It must exist in the contract
  // with these message types (asserted).
  template <class Request, class Response>
  void unary(std::string_view name, std::function<base::Co<Response>(CallContext, Request)> handler) {
    add<Request, Response>(
        name, [handler = std::move(handler)](CallContext context, std::shared_ptr<MessageStream> stream) -> base::Co<> {
          return call_unary<Request, Response>(handler, std::move(context), TypedStream<Request, Response>(stream));
        });
  }

  // For server-streaming, client-streaming and two-way rpcs.
  template <class Request, class Response>
  void stream(std::string_view name, std::function<base::Co<>(CallContext, TypedStream<Request, Response>)> handler) {
    add<Request, Response>(
        name, [handler = std::move(handler)](CallContext context, std::shared_ptr<MessageStream> stream) -> base::Co<> {
          return handler(std::move(context), TypedStream<Request, Response>(stream));
        });
  }

  // Has `name` handled by what `around` makes of its handler.
  void wrap(std::string_view name, const std::function<Handler(const Method&, Handler)>& around);

  // Serves `name` as `other` does now.
  void share(std::string_view name, const MethodTable& other);

  // nullptr where nothing of that name is served.
  const Method* find(std::string_view full_name) const;
  const std::map<std::string, Method, std::less<>>& all() const { return methods_; }

 private:
  template <class Request, class Response>
  void add(std::string_view name, Handler call) {
    insert(name, Request::descriptor(), Response::descriptor(),
           Method{nullptr, [] { return MessagePtr(new Request); }, [] { return MessagePtr(new Response); },
                  std::move(call)});
  }

  template <class Request, class Response>
  static base::Co<> call_unary(std::function<base::Co<Response>(CallContext, Request)> handler, CallContext context,
                               TypedStream<Request, Response> stream) {
    auto request = co_await stream.receive();
    if (!request) co_return std::unexpected(request.error());
    if (!*request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
    if (auto known = check_enums(**request); !known) co_return known;
    auto response = co_await handler(std::move(context), std::move(**request));
    if (!response) co_return std::unexpected(response.error());
    co_return co_await stream.send(std::move(*response));
  }

  void insert(std::string_view name, const google::protobuf::Descriptor* request,
              const google::protobuf::Descriptor* response, Method method);

  std::map<std::string, Method, std::less<>> methods_;
};

// The permission the contract names for this rpc: "stacks.read", "public", "agent".
std::string permission_of(const google::protobuf::MethodDescriptor& method);

}  // namespace orchion::core
