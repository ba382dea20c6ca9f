#include <fmt/core.h>
#include <boost/asio/this_coro.hpp>

#include "grpc/health.pb.h"
#include "node/probes/ways.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::node::probes {

namespace {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;

base::Error explain(base::Error error, const v1::GrpcProbe& probe) {
  switch (error.code) {
    case base::Code::kCancelled:
    case base::Code::kDeadlineExceeded: return error;
    case base::Code::kNotFound:
      error.message = fmt::format("the server knows no service \"{}\": {}", probe.service(), error.message);
      break;
    case base::Code::kUnimplemented: error.message = "the server has no grpc.health.v1.Health"; break;
    case base::Code::kUnavailable: error.message = "what answers doesn't speak gRPC without TLS"; break;
    // Said by the library where the bytes make no sense, and by servers about themselves.
    case base::Code::kUnknown:
    case base::Code::kInternal:
      error.message = fmt::format("what answers failed, or doesn't speak gRPC without TLS: {}", error.message);
      break;
    default: error.message = fmt::format("the server answered {}: {}", base::code_name(error.code), error.message);
  }
  // Whatever the server calls it, it is the task that answered.
  error.code = base::Code::kDataLoss;
  return error;
}

}  // namespace

base::Co<Outcome> ask_grpc(Target target, v1::GrpcProbe probe) {
  CO_ASSIGN_OR_RETURN(auto connected, co_await connect(std::move(target), static_cast<std::uint16_t>(probe.port())));
  const base::Executor executor = co_await boost::asio::this_coro::executor;
  wire::grpc::GrpcClient client(executor, std::move(connected));
  HealthCheckRequest request;
  request.set_service(probe.service());
  const auto call = client.call("/grpc.health.v1.Health/Check", {});
  // Where the call has ended already, its status says why.
  if (auto sent = co_await call->send(request.SerializeAsString()); sent) call->finish();
  auto answer = co_await call->receive();
  if (!answer) co_return std::unexpected(explain(std::move(answer).error(), probe));
  HealthCheckResponse response;
  if (!*answer || !response.ParseFromString(**answer))
    co_return base::fail(base::Code::kDataLoss, "the server's answer isn't one of grpc.health.v1.Health");
  const bool good = response.status() == HealthCheckResponse::SERVING;
  const auto& name = HealthCheckResponse::ServingStatus_Name(response.status());
  co_return Outcome{good ? Outcome::Verdict::kGood : Outcome::Verdict::kBad,
                    name.empty() ? fmt::format("status {}", static_cast<int>(response.status())) : name};
}

}  // namespace orchion::node::probes
