#pragma once

#include <string>
#include <utility>

#include "control/services/context.h"
#include "control/services/idempotency.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Stacks and the services in them: every write is one of a stack's manifest, in one transaction. Applying and creating
// are done once for an idempotency key.
class StackService {
 public:
  explicit StackService(ServiceContext context) : context_(context), records_(context) {}

  base::Co<v1::ListStacksResponse> list(core::CallContext call, v1::ListStacksRequest request);
  base::Co<v1::Stack> get(core::CallContext call, v1::GetStackRequest request);
  base::Co<v1::ApplyStackResponse> apply(core::CallContext call, v1::ApplyStackRequest request);
  base::Co<v1::Stack> remove(core::CallContext call, v1::DeleteStackRequest request);

  base::Co<v1::ListServicesResponse> list_services(core::CallContext call, v1::ListServicesRequest request);
  base::Co<v1::Service> get_service(core::CallContext call, v1::GetServiceRequest request);
  base::Co<v1::Service> create_service(core::CallContext call, v1::CreateServiceRequest request);
  base::Co<v1::Service> scale(core::CallContext call, v1::ScaleServiceRequest request);

 private:
  template <class Request, class Response>
  using Work = base::Co<Response> (StackService::*)(core::CallContext, Request, IdempotentCall);

  // Does the work where it isn't done yet; the first answer in any case.
  template <class Request, class Response>
  base::Co<Response> once(std::string method, core::CallContext call, Request request, Work<Request, Response> work);
  base::Co<v1::ApplyStackResponse> apply_once(core::CallContext call, v1::ApplyStackRequest request,
                                              IdempotentCall idempotent);
  base::Co<v1::Service> create_service_once(core::CallContext call, v1::CreateServiceRequest request,
                                            IdempotentCall idempotent);
  base::Co<v1::Stack> write(v1::Stack stack, bool is_new, IdempotentCall idempotent);
  base::Co<v1::Service> service_in(v1::Stack stack, std::string name);

  ServiceContext context_;
  IdempotencyRecords records_;
};

void add_stack_service(core::MethodTable& table, std::shared_ptr<StackService> service);

}  // namespace orchion::control::services
