#include "control/services/task_service.h"

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "control/services/log_output.h"
#include "control/services/paging.h"
#include "control/services/task_timeline.h"
#include "core/jobs.h"
#include "core/pattern.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

bool is_current(const v1::Task& task) {
  return task.spec().desired_state() == v1::DESIRED_RUNNING && !task.meta().has_deleted_at();
}

// What was told to stop counts for as long as it may still run.
bool is_present(const v1::Task& task) {
  return is_current(task) || (task.spec().has_assignment() && !core::is_terminal(task.status().state()));
}

std::string slot_name(const v1::Task& task) {
  return core::short_name(task.spec());
}

// What it belongs to: a service, or a run.
const std::string& owner_of(const v1::Task& task) {
  return task.spec().run().empty() ? task.spec().service() : task.spec().run();
}

std::uint32_t number_of(const v1::Task& task) {
  return task.spec().run().empty() ? task.spec().slot() : task.spec().index();
}

// Of a run's tasks of one index all that ended stay: the one that has no successor is meant.
bool is_succeeded_by(const v1::Task& former, const v1::Task& task) {
  return task.spec().predecessor() == former.meta().uid();
}

// Until what moves has stopped, its slot means that one.
bool is_beside_former(const store::View& view, const v1::Task& task) {
  const auto former = task.spec().predecessor().empty() ? nullptr : view.tasks().find_uid(task.spec().predecessor());
  return former && is_current(*former) && former->spec().has_move();
}

using ExecStream = core::TypedStream<v1::ExecInput, v1::ExecOutput>;
using AttachStream = core::TypedStream<v1::AttachInput, v1::ExecOutput>;

v1::StreamToAgent to_message(v1::ExecInput input) {
  v1::StreamToAgent message;
  *message.mutable_exec() = std::move(input);
  return message;
}

v1::StreamToAgent to_message(v1::AttachInput input) {
  v1::StreamToAgent message;
  *message.mutable_attach() = std::move(input);
  return message;
}

// What follows the first message. `at_its_end`: what the node is told when the user says no more, if anything.
template <class Input>
base::Co<> carry_inward(core::TypedStream<Input, v1::ExecOutput> user, NodeStream* node,
                        std::optional<Input> at_its_end) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await user.receive());
    if (!input) break;
    CO_RETURN_IF_ERROR(co_await node->send(to_message(std::move(*input))));
  }
  if (at_its_end) CO_RETURN_IF_ERROR(co_await node->send(to_message(std::move(*at_its_end))));
  // The output decides when it is over.
  co_return co_await base::wait_for_ever();
}

template <class Input>
base::Co<> carry_outward(core::TypedStream<Input, v1::ExecOutput> user, NodeStream* node) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await node->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the node ended the command without an exit code");
    if (!message->has_exec()) continue;
    const bool last = message->exec().has_exit_code();
    CO_RETURN_IF_ERROR(co_await user.send(std::move(*message->mutable_exec())));
    if (last) co_return base::Result<>{};
  }
}

// Both ways, until the exit code was sent or the user is gone.
template <class Input>
base::Co<> carry(core::TypedStream<Input, v1::ExecOutput> user, std::unique_ptr<NodeStream> node,
                 std::optional<Input> at_its_end) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry_outward(user, node.get()) || carry_inward(user, node.get(), std::move(at_its_end)));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace

base::Result<std::shared_ptr<const v1::Task>> TaskService::find(const std::string& stack,
                                                                const std::string& name) const {
  const auto& view = context_.objects.view();
  if (auto exact = view.tasks().find(stack, name)) return exact;
  std::shared_ptr<const v1::Task> best;
  std::size_t matches = 0;
  for (const auto& task : view.tasks().of_stack(stack)) {
    const bool by_slot = slot_name(*task) == name;
    if (!by_slot && owner_of(*task) != name) continue;
    if (!is_current(*task) || is_beside_former(view, *task)) continue;
    if (!by_slot) ++matches;
    if (!best || number_of(*task) < number_of(*best) || is_succeeded_by(*best, *task)) best = task;
  }
  if (!best)
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no task {}/{}: see `orchion ps --stack {}`", stack, name, stack));
  if (matches > 1)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{0}/{1} has {2} tasks: say which, like {0}/{1}.1", stack, name, matches));
  return best;
}

base::Result<std::shared_ptr<const v1::Task>> TaskService::find_running(const std::string& stack,
                                                                        const std::string& name) const {
  ASSIGN_OR_RETURN(auto task, find(stack, name));
  if (task->status().state() == v1::RUNNING) return task;
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{}/{} is not running: see `orchion ps --stack {}`", task->meta().stack(),
                                slot_name(*task), task->meta().stack()));
}

base::Co<v1::ListTasksResponse> TaskService::list(core::CallContext, v1::ListTasksRequest request) {
  CO_ASSIGN_OR_RETURN(auto page, parse_page(request.page_size(), request.page_token()));
  page.stack = request.stack();
  v1::ListTasksResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto keep = [&](const v1::Task& task) {
    if (!request.service().empty() && task.spec().service() != request.service()) return false;
    if (!request.run().empty() && task.spec().run() != request.run()) return false;
    if (!request.node().empty() && task.spec().assignment().node() != request.node()) return false;
    if (request.all()) return true;
    // Of runs those that ended stay for long: who wants them names the run.
    const bool of_past = !task.spec().run().empty() && core::is_terminal(task.status().state());
    return of_past ? !request.run().empty() : is_present(task);
  };
  for (const auto& task : page_of(context_.objects.view().tasks(), page, keep, *response.mutable_next_page_token()))
    *response.add_tasks() = *task;
  co_return response;
}

base::Co<v1::Task> TaskService::get(core::CallContext, v1::GetTaskRequest request) {
  CO_ASSIGN_OR_RETURN(const auto task, find(request.stack(), request.name()));
  co_return *task;
}

base::Co<v1::TaskHealth> TaskService::health(core::CallContext, v1::GetTaskHealthRequest request) {
  CO_ASSIGN_OR_RETURN(const auto task, find_running(request.stack(), request.name()));
  v1::StreamRequest want;
  want.mutable_health()->set_task_uid(task->meta().uid());
  CO_ASSIGN_OR_RETURN(const auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(want)));
  CO_ASSIGN_OR_RETURN(auto answer, co_await node->receive());
  if (!answer) co_return base::fail(base::Code::kUnavailable, "the node went away: try again");
  co_return std::move(*answer->mutable_health());
}

base::Co<v1::TaskTimeline> TaskService::timeline(core::CallContext, v1::GetTaskTimelineRequest request) {
  auto task = find(request.stack(), request.name());
  if (!task && task.error().code != base::Code::kNotFound) co_return std::unexpected(task.error());
  co_return timeline_of(context_.objects.view(), task ? *task : nullptr, request);
}

base::Co<> TaskService::logs(core::CallContext, core::TypedStream<v1::LogsRequest, v1::LogLine> stream) {
  co_return co_await send_log_lines(context_, streams_, stream);
}

base::Co<> TaskService::log_text(core::CallContext, core::TypedStream<v1::LogsRequest, v1::FilePiece> stream) {
  co_return co_await send_log_text(context_, streams_, stream);
}

base::Co<> TaskService::exec(core::CallContext, ExecStream stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (!first || !first->has_start())
    co_return base::fail(base::Code::kInvalidArgument, "the first message must say what to run");
  if (first->start().command().empty())
    co_return base::fail(base::Code::kInvalidArgument, "there is no command to run: say one after --");
  CO_ASSIGN_OR_RETURN(const auto task, find_running(first->start().stack(), first->start().task()));
  v1::StreamRequest request;
  request.mutable_exec()->set_task_uid(task->meta().uid());
  *request.mutable_exec()->mutable_start() = first->start();
  CO_ASSIGN_OR_RETURN(auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(request)));
  v1::ExecInput end;
  end.set_end(true);
  co_return co_await carry(stream, std::move(node), std::optional<v1::ExecInput>(std::move(end)));
}

// Who is attached may leave: that he says no more ends nothing.
base::Co<> TaskService::attach(core::CallContext, AttachStream stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (!first || !first->has_start())
    co_return base::fail(base::Code::kInvalidArgument, "the first message must say what to attach to");
  CO_ASSIGN_OR_RETURN(const auto task, find(first->start().stack(), first->start().task()));
  if (!task->status().has_started_at())
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("{}/{} has not started yet: see `orchion ps --stack {}`", task->meta().stack(),
                                     slot_name(*task), task->meta().stack()));
  v1::StreamRequest request;
  request.mutable_attach()->set_task_uid(task->meta().uid());
  *request.mutable_attach()->mutable_start() = first->start();
  CO_ASSIGN_OR_RETURN(auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(request)));
  co_return co_await carry(stream, std::move(node), std::optional<v1::AttachInput>());
}

void add_task_service(core::MethodTable& table, std::shared_ptr<TaskService> service) {
  table.unary<v1::ListTasksRequest, v1::ListTasksResponse>(
      "orchion.v1.TaskService.ListTasks",
      [service](core::CallContext call, v1::ListTasksRequest request) { return service->list(call, request); });
  table.unary<v1::GetTaskRequest, v1::Task>(
      "orchion.v1.TaskService.GetTask",
      [service](core::CallContext call, v1::GetTaskRequest request) { return service->get(call, request); });
  table.unary<v1::GetTaskHealthRequest, v1::TaskHealth>(
      "orchion.v1.TaskService.GetTaskHealth",
      [service](core::CallContext call, v1::GetTaskHealthRequest request) { return service->health(call, request); });
  table.unary<v1::GetTaskTimelineRequest, v1::TaskTimeline>(
      "orchion.v1.TaskService.GetTaskTimeline", [service](core::CallContext call, v1::GetTaskTimelineRequest request) {
        return service->timeline(call, request);
      });
  table.stream<v1::LogsRequest, v1::LogLine>(
      "orchion.v1.TaskService.Logs",
      [service](core::CallContext call, auto stream) { return service->logs(std::move(call), stream); });
  table.stream<v1::LogsRequest, v1::FilePiece>(
      "orchion.v1.TaskService.LogText",
      [service](core::CallContext call, auto stream) { return service->log_text(std::move(call), stream); });
  table.stream<v1::ExecInput, v1::ExecOutput>(
      "orchion.v1.TaskService.Exec",
      [service](core::CallContext call, auto stream) { return service->exec(std::move(call), stream); });
  table.stream<v1::AttachInput, v1::ExecOutput>(
      "orchion.v1.TaskService.Attach",
      [service](core::CallContext call, auto stream) { return service->attach(std::move(call), stream); });
  table.stream<v1::CopyFromRequest, v1::FilePiece>(
      "orchion.v1.TaskService.CopyFrom",
      [service](core::CallContext call, auto stream) { return service->copy_from(std::move(call), stream); });
  table.stream<v1::CopyIntoRequest, google::protobuf::Empty>(
      "orchion.v1.TaskService.CopyInto",
      [service](core::CallContext call, auto stream) { return service->copy_into(std::move(call), stream); });
  table.stream<v1::ForwardInput, v1::ForwardOutput>(
      "orchion.v1.TaskService.Forward",
      [service](core::CallContext call, auto stream) { return service->forward(std::move(call), stream); });
}

}  // namespace orchion::control::services
