#pragma once

#include <memory>

#include "control/services/context.h"
#include "control/services/stack_manifests.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Stacks as a whole.
class StackService {
 public:
  StackService(ServiceContext context, std::shared_ptr<StackManifests> manifests)
      : context_(context), manifests_(std::move(manifests)) {}

  base::Co<v1::ListStacksResponse> list(core::CallContext call, v1::ListStacksRequest request);
  base::Co<v1::Stack> get(core::CallContext call, v1::GetStackRequest request);
  base::Co<v1::ApplyStackResponse> apply(core::CallContext call, v1::ApplyStackRequest request);
  base::Co<v1::Stack> remove(core::CallContext call, v1::DeleteStackRequest request);

 private:
  base::Co<v1::ApplyStackResponse> apply_once(core::CallContext call, v1::ApplyStackRequest request,
                                              IdempotentCall idempotent);

  ServiceContext context_;
  std::shared_ptr<StackManifests> manifests_;
};

void add_stack_service(core::MethodTable& table, std::shared_ptr<StackService> service);

}  // namespace orchion::control::services
