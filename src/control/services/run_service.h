#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "control/services/stack_manifests.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Runs of jobs: made here as ones that wait, begun and ended by the controllers.
class RunService {
 public:
  RunService(ServiceContext context, std::shared_ptr<StackManifests> manifests, NodeStreams& streams)
      : context_(context), manifests_(std::move(manifests)), streams_(streams) {}

  base::Co<v1::Run> run(core::CallContext call, v1::RunJobRequest request);
  base::Co<v1::ListRunsResponse> list(core::CallContext call, v1::ListRunsRequest request);
  base::Co<v1::Run> get(core::CallContext call, v1::GetRunRequest request);
  base::Co<v1::Run> cancel(core::CallContext call, v1::CancelRunRequest request);
  base::Co<v1::Run> retry(core::CallContext call, v1::RetryRunRequest request);
  base::Co<> artifact(core::CallContext call, core::TypedStream<v1::GetArtifactRequest, v1::FilePiece> stream);

 private:
  base::Co<v1::Run> run_once(core::CallContext call, v1::RunJobRequest request, IdempotentCall idempotent);
  base::Co<v1::Run> cancel_once(core::CallContext call, v1::CancelRunRequest request, IdempotentCall idempotent);
  base::Co<v1::Run> retry_once(core::CallContext call, v1::RetryRunRequest request, IdempotentCall idempotent);

  // What a new run gets that isn't from its job.
  struct Origin {
    v1::JobSpec made_from;
    google::protobuf::Map<std::string, std::string> parameters;
    std::string retry_of;
    std::string asked_by;  // as Meta.changed_by
  };
  base::Co<v1::Run> make(std::string stack, std::string job, Origin origin, bool dry_run, IdempotentCall idempotent);

  base::Result<std::shared_ptr<const v1::Job>> find_job_to_run(const std::string& stack, const std::string& name) const;
  base::Result<std::shared_ptr<const v1::Run>> find(const std::string& stack, const std::string& name) const;

  ServiceContext context_;
  std::shared_ptr<StackManifests> manifests_;
  NodeStreams& streams_;
};

void add_run_service(core::MethodTable& table, std::shared_ptr<RunService> service);

}  // namespace orchion::control::services
