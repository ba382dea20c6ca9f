// What tasks of runs left behind, carried from the nodes that keep it.

#include <fmt/core.h>

#include "control/services/run_service.h"

namespace orchion::control::services {

namespace {

// The task of that index that did it; else the newest that began.
std::shared_ptr<const v1::Task> maker_of(const store::View& view, const v1::Run& run, std::uint32_t index) {
  std::shared_ptr<const v1::Task> best;
  for (const auto& task : view.tasks_of_run(run.meta().stack(), run.meta().name())) {
    if (task->spec().index() != index || !task->status().has_started_at()) continue;
    if (task->status().state() == v1::SUCCEEDED) return task;
    if (!best || best->meta().created_at().seconds() < task->meta().created_at().seconds()) best = task;
  }
  return best;
}

base::Result<> check_name(const v1::Run& run, const std::string& name) {
  std::string known;
  for (const auto& output : run.spec().template_().outputs()) {
    if (output.name() == name) return {};
    known += (known.empty() ? "" : ", ") + output.name();
  }
  const auto why =
      fmt::format("{} has no output \"{}\": it has {}", run.meta().name(), name, known.empty() ? "none" : known);
  return std::unexpected(base::Error{base::Code::kNotFound, why, {{"/artifact", why}}});
}

}  // namespace

base::Co<> RunService::artifact(core::CallContext, core::TypedStream<v1::GetArtifactRequest, v1::FilePiece> stream) {
  CO_ASSIGN_OR_RETURN(const auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  CO_ASSIGN_OR_RETURN(const auto run, find(request->stack(), request->run()));
  CO_RETURN_IF_ERROR(check_name(*run, request->artifact()));
  const auto task = maker_of(context_.objects.view(), *run, request->index());
  if (!task)
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("no task of {}.{} has run: see `orchion job inspect {}/{}`", run->meta().name(),
                                     request->index(), run->meta().stack(), run->meta().name()));
  v1::StreamRequest want;
  want.mutable_artifact()->set_task_uid(task->meta().uid());
  want.mutable_artifact()->set_name(request->artifact());
  CO_ASSIGN_OR_RETURN(const auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(want)));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await node->receive());
    if (!message || !message->has_data())
      co_return base::fail(base::Code::kUnavailable, "the node stopped in the middle of it: try again");
    if (message->data().empty()) co_return base::Result<>{};
    v1::FilePiece piece;
    piece.set_data(std::move(*message->mutable_data()));
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(piece)));
  }
}

}  // namespace orchion::control::services
