#pragma once

#include <memory>

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// What runs: listing it, reading its output, running commands in it, its files and ports. All of that stays on the
// nodes; streams to them are opened on request.
class TaskService {
 public:
  TaskService(ServiceContext context, NodeStreams& streams) : context_(context), streams_(streams) {}

  base::Co<v1::ListTasksResponse> list(core::CallContext call, v1::ListTasksRequest request);
  base::Co<v1::Task> get(core::CallContext call, v1::GetTaskRequest request);
  base::Co<v1::TaskHealth> health(core::CallContext call, v1::GetTaskHealthRequest request);
  base::Co<v1::TaskTimeline> timeline(core::CallContext call, v1::GetTaskTimelineRequest request);
  base::Co<> logs(core::CallContext call, core::TypedStream<v1::LogsRequest, v1::LogLine> stream);
  base::Co<> log_text(core::CallContext call, core::TypedStream<v1::LogsRequest, v1::FilePiece> stream);
  base::Co<> exec(core::CallContext call, core::TypedStream<v1::ExecInput, v1::ExecOutput> stream);
  base::Co<> attach(core::CallContext call, core::TypedStream<v1::AttachInput, v1::ExecOutput> stream);
  base::Co<> copy_from(core::CallContext call, core::TypedStream<v1::CopyFromRequest, v1::FilePiece> stream);
  base::Co<> copy_into(core::CallContext call, core::TypedStream<v1::CopyIntoRequest, google::protobuf::Empty> stream);
  base::Co<> forward(core::CallContext call, core::TypedStream<v1::ForwardInput, v1::ForwardOutput> stream);

 private:
  // By the task's own name, or SERVICE.SLOT for the newest there, or SERVICE where it has one task.
  base::Result<std::shared_ptr<const v1::Task>> find(const std::string& stack, const std::string& name) const;

  // The same, and it runs: kFailedPrecondition otherwise.
  base::Result<std::shared_ptr<const v1::Task>> find_running(const std::string& stack, const std::string& name) const;

  ServiceContext context_;
  NodeStreams& streams_;
};

void add_task_service(core::MethodTable& table, std::shared_ptr<TaskService> service);

}  // namespace orchion::control::services
