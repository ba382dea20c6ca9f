#pragma once

#include <memory>
#include <string>

#include "control/services/context.h"
#include "control/services/stack_manifests.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// One service at a time: what is written is its stack's manifest, and the answer is the service as the stack controller
// made it from that.
class ServiceService {
 public:
  ServiceService(ServiceContext context, std::shared_ptr<StackManifests> manifests)
      : context_(context), manifests_(std::move(manifests)) {}

  base::Co<v1::ListServicesResponse> list(core::CallContext call, v1::ListServicesRequest request);
  base::Co<v1::Service> get(core::CallContext call, v1::GetServiceRequest request);
  base::Co<v1::Service> create(core::CallContext call, v1::CreateServiceRequest request);
  base::Co<v1::Service> remove(core::CallContext call, v1::DeleteServiceRequest request);

  // Scale, restart, stop, start: one change of its spec.
  template <class Request>
  base::Co<v1::Service> change(core::CallContext call, Request request);

 private:
  base::Co<v1::Service> create_once(core::CallContext call, v1::CreateServiceRequest request,
                                    IdempotentCall idempotent);
  base::Co<v1::Service> remove_once(core::CallContext call, v1::DeleteServiceRequest request);
  template <class Request>
  base::Co<v1::Service> change_once(core::CallContext call, Request request, IdempotentCall idempotent);

  // The stack as it is, or why the service in it can't be changed.
  base::Result<v1::Stack> stack_of(const core::CallContext& call, const std::string& stack, const std::string& name);

  ServiceContext context_;
  std::shared_ptr<StackManifests> manifests_;
};

void add_service_service(core::MethodTable& table, std::shared_ptr<ServiceService> service);

}  // namespace orchion::control::services
