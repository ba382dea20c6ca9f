#pragma once

#include <memory>
#include <string>

#include "control/services/context.h"
#include "control/services/stack_manifests.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Jobs, which are written like services: in their stack's manifest. Runs of them are told apart below.
class JobService {
 public:
  JobService(ServiceContext context, std::shared_ptr<StackManifests> manifests)
      : context_(context), manifests_(std::move(manifests)) {}

  base::Co<v1::ListJobsResponse> list(core::CallContext call, v1::ListJobsRequest request);
  base::Co<v1::Job> get(core::CallContext call, v1::GetJobRequest request);
  base::Co<v1::Job> create(core::CallContext call, v1::CreateJobRequest request);
  base::Co<v1::Job> remove(core::CallContext call, v1::DeleteJobRequest request);

 private:
  base::Co<v1::Job> create_once(core::CallContext call, v1::CreateJobRequest request, IdempotentCall idempotent);
  base::Co<v1::Job> standing(v1::Stack stack, std::string name);

  ServiceContext context_;
  std::shared_ptr<StackManifests> manifests_;
};

void add_job_service(core::MethodTable& table, std::shared_ptr<JobService> service);

}  // namespace orchion::control::services
