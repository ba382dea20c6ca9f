#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/inputs/input_folder.h"
#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "control/services/stack_manifests.h"
#include "core/jobs.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Runs of jobs: made here as ones that wait, begun and ended by the controllers.
class RunService {
 public:
  // `inputs` null: then no run can be given any.
  RunService(ServiceContext context, std::shared_ptr<StackManifests> manifests, NodeStreams& streams,
             std::shared_ptr<inputs::InputFolder> inputs)
      : context_(context), manifests_(std::move(manifests)), streams_(streams), inputs_(std::move(inputs)) {}

  base::Co<v1::Run> run(core::CallContext call, v1::RunJobRequest request);
  base::Co<v1::ListRunsResponse> list(core::CallContext call, v1::ListRunsRequest request);
  base::Co<v1::Run> get(core::CallContext call, v1::GetRunRequest request);
  base::Co<v1::Run> cancel(core::CallContext call, v1::CancelRunRequest request);
  base::Co<v1::Run> retry(core::CallContext call, v1::RetryRunRequest request);
  base::Co<v1::ListQueuesResponse> queues(core::CallContext call, v1::ListQueuesRequest request);
  base::Co<> upload_input(core::CallContext call,
                          core::TypedStream<v1::UploadInputRequest, v1::UploadInputResponse> stream);
  base::Co<> artifact(core::CallContext call, core::TypedStream<v1::GetArtifactRequest, v1::FilePiece> stream);

 private:
  base::Co<v1::Run> run_once(core::CallContext call, v1::RunJobRequest request, IdempotentCall idempotent);
  base::Co<v1::Run> cancel_once(core::CallContext call, v1::CancelRunRequest request, IdempotentCall idempotent);
  base::Co<v1::Run> retry_once(core::CallContext call, v1::RetryRunRequest request, IdempotentCall idempotent);

  // What a new run gets that isn't from its job.
  struct Origin {
    v1::JobSpec made_from;
    core::Texts parameters;
    core::Texts secrets;
    core::Texts inputs;
    std::string retry_of;
    std::string asked_by;  // as Meta.changed_by
  };
  base::Result<Origin> origin_of(const v1::Job& job, const v1::RunJobRequest& request) const;
  base::Co<v1::Run> make(std::string stack, std::string job, Origin origin, bool dry_run, IdempotentCall idempotent);

  // They are there, and stay for as long as it takes to refer to them.
  base::Co<> hold_inputs(core::Texts inputs);

  base::Result<std::shared_ptr<const v1::Job>> find_job_to_run(const std::string& stack, const std::string& name) const;
  base::Result<std::shared_ptr<const v1::Run>> find(const std::string& stack, const std::string& name) const;

  ServiceContext context_;
  std::shared_ptr<StackManifests> manifests_;
  NodeStreams& streams_;
  std::shared_ptr<inputs::InputFolder> inputs_;
};

void add_run_service(core::MethodTable& table, std::shared_ptr<RunService> service);

}  // namespace orchion::control::services
