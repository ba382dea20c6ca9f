#include "control/serving/serving.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "control/serving/grpc_front.h"
#include "control/serving/http_guard.h"
#include "wire/grpc/grpc_server.h"
#include "wire/http_server.h"

namespace orchion::control::serving {

namespace asio = boost::asio;

struct Serving::Parts {
  Parts(base::Executor control_executor, base::Executor http_executor, const core::MethodTable& methods,
        Authenticator& who, ServingOptions o)
      : control(control_executor),
        http(http_executor),
        tls(o.tls),
        authenticator(who),
        calls(control, authenticator, std::move(o.bookmark)),
        rest(calls, methods, std::move(o.rest)),
        http_server(http,
                    [this](std::shared_ptr<wire::Exchange> exchange) { return rest.handle(std::move(exchange)); }),
        grpc(authenticator, methods),
        grpc_server(control, [this](wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
          return grpc.handle(std::move(call), std::move(stream));
        }) {}

  base::Executor control;
  base::Executor http;
  bool tls;
  Authenticator& authenticator;
  ControlCalls calls;
  RestFront rest;
  wire::HttpServer http_server;
  GrpcFront grpc;
  wire::grpc::GrpcServer grpc_server;
  std::unique_ptr<GrpcFront> node_front;
  std::unique_ptr<wire::grpc::GrpcServer> node_server;
};

Serving::Serving(base::Executor control, base::Executor http, const core::MethodTable& methods,
                 Authenticator& authenticator, ServingOptions options)
    : parts_(std::make_unique<Parts>(std::move(control), std::move(http), methods, authenticator, std::move(options))) {
}

Serving::~Serving() = default;

base::Result<std::uint16_t> Serving::listen_http(const std::string& address) {
  ASSIGN_OR_RETURN(const auto parts, check_listen_address(address, parts_->tls));
  return parts_->http_server.listen_tcp(parts.host, parts.port);
}

base::Result<> Serving::listen_unix(const std::string& path) {
  return parts_->http_server.listen_unix(path);
}

base::Result<std::uint16_t> Serving::listen_grpc(const std::string& address) {
  RETURN_IF_ERROR(check_listen_address(address, parts_->tls));
  return parts_->grpc_server.listen(address);
}

base::Result<std::uint16_t> Serving::listen_nodes(const std::string& address, const core::MethodTable& methods,
                                                  wire::grpc::ServerTls tls) {
  auto& parts = *parts_;
  parts.node_front = std::make_unique<GrpcFront>(parts.authenticator, methods, GrpcFront::Callers::kNodes);
  wire::grpc::GrpcServerOptions options;
  options.tls = std::move(tls);
  parts.node_server = std::make_unique<wire::grpc::GrpcServer>(
      parts.control,
      [front = parts.node_front.get()](wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
        return front->handle(std::move(call), std::move(stream));
      },
      std::move(options));
  return parts.node_server->listen(address);
}

void Serving::shutdown(std::chrono::milliseconds grace) {
  auto http = asio::co_spawn(parts_->http, parts_->http_server.shutdown(grace), asio::use_future);
  parts_->grpc_server.shutdown(grace);
  if (parts_->node_server) parts_->node_server->shutdown(grace);
  (void)http.get();
  // What the HTTP side cancelled still unwinds on the control loop.
  (void)asio::co_spawn(parts_->control, parts_->calls.drain(), asio::use_future).get();
}

}  // namespace orchion::control::serving
