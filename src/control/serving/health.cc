#include "control/serving/health.h"

#include "grpc/health.pb.h"

namespace orchion::control::serving {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;

// Beside the class, so that its header needs no message.
struct HealthService {
  static bool knows(const Health& health, const std::string& service) {
    if (service.empty()) return true;
    for (const auto& [name, method] : health.table_->all()) {
      if (method.descriptor->service()->full_name() == service) return true;
    }
    return false;
  }

  static HealthCheckResponse status(const Health& health, const std::string& service) {
    HealthCheckResponse response;
    response.set_status(!knows(health, service) ? HealthCheckResponse::SERVICE_UNKNOWN
                        : health.serving_       ? HealthCheckResponse::SERVING
                                                : HealthCheckResponse::NOT_SERVING);
    return response;
  }

  static base::Co<HealthCheckResponse> check(Health* health, HealthCheckRequest request) {
    if (!knows(*health, request.service())) {
      co_return base::fail(base::Code::kNotFound, "this server has no service '" + request.service() + "'");
    }
    co_return status(*health, request.service());
  }

  static base::Co<> watch(Health* health, core::TypedStream<HealthCheckRequest, HealthCheckResponse> stream) {
    CO_ASSIGN_OR_RETURN(const auto request, co_await stream.receive());
    if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
    while (true) {
      auto now = status(*health, request->service());
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(now)));
      CO_RETURN_IF_ERROR(co_await health->changed_.wait());
    }
  }
};

void Health::add_to(core::MethodTable& table) {
  table_ = &table;
  table.unary<HealthCheckRequest, HealthCheckResponse>(
      "grpc.health.v1.Health.Check",
      [this](core::CallContext, HealthCheckRequest request) { return HealthService::check(this, std::move(request)); });
  table.stream<HealthCheckRequest, HealthCheckResponse>(
      "grpc.health.v1.Health.Watch",
      [this](core::CallContext, auto stream) { return HealthService::watch(this, std::move(stream)); });
}

void Health::stop() {
  serving_ = false;
  changed_.notify();
}

}  // namespace orchion::control::serving
