#pragma once

// The contract over gRPC.

#include "control/serving/authenticator.h"
#include "core/methods.h"
#include "wire/grpc/grpc_server.h"

namespace orchion::control::serving {

// What one server tells another of the caller that it has let in.
inline constexpr char kCallerMetadata[] = "orchion-caller";

// Serves `methods` by their names; for a wire::grpc::GrpcServer on the control executor, on which all of this runs.
// Metadata: "authorization: Bearer TOKEN", "if-match: REVISION", "idempotency-key". Secrets are redacted, save for
// agents, which need them. Both arguments must outlive it.
class GrpcFront {
 public:
  enum class Callers {
    kUsers,  // known by their tokens
    kNodes,  // known by their certificates; a token is not looked at
  };
  GrpcFront(Authenticator& authenticator, const core::MethodTable& methods, Callers callers = Callers::kUsers)
      : authenticator_(authenticator), methods_(methods), callers_(callers) {}

  base::Co<> handle(wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream);

 private:
  Authenticator& authenticator_;
  const core::MethodTable& methods_;
  const Callers callers_;
};

}  // namespace orchion::control::serving
