#include "control/services/task_service.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/notifier.h"
#include "control/services/paging.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

constexpr std::size_t kLinesInFlight = 1024;

bool is_current(const v1::Task& task) {
  return task.spec().desired_state() == v1::DESIRED_RUNNING && !task.meta().has_deleted_at();
}

// What was told to stop counts for as long as it may still run.
bool is_present(const v1::Task& task) {
  return is_current(task) || (task.spec().has_assignment() && !core::is_terminal(task.status().state()));
}

std::string slot_name(const v1::Task& task) {
  return fmt::format("{}.{}", task.spec().service(), task.spec().slot());
}

// What the user may wait for lines of: one node's tasks.
struct NodeTasks {
  std::string node_uid;
  std::string node_name;
  v1::NodeLogs want;
};

std::vector<NodeTasks> by_node(const store::View& view, const v1::LogsRequest& request) {
  std::map<std::string, NodeTasks> nodes;
  for (const auto& task : view.tasks().of_stack(request.stack())) {
    const auto& assignment = task->spec().assignment();
    if (assignment.node_uid().empty()) continue;
    if (!request.service().empty() && task->spec().service() != request.service()) continue;
    if (request.slot() != 0 && task->spec().slot() != request.slot()) continue;
    auto& node = nodes[assignment.node_uid()];
    node.node_uid = assignment.node_uid();
    node.node_name = assignment.node();
    node.want.add_task_uids(task->meta().uid());
  }
  std::vector<NodeTasks> result;
  for (auto& [uid, node] : nodes) {
    *node.want.mutable_request() = request;
    result.push_back(std::move(node));
  }
  return result;
}

v1::LogLine notice(const std::string& text) {
  v1::LogLine line;
  line.set_notice(text);
  return line;
}

// One node's lines into the common channel. What a node can't give is said, not left out.
base::Co<> pump_logs(NodeStreams* streams, NodeTasks node, std::shared_ptr<base::Channel<v1::LogLine>> lines) {
  v1::StreamRequest request;
  *request.mutable_logs() = node.want;
  auto opened = co_await streams->open(node.node_uid, std::move(request));
  if (!opened)
    co_return co_await lines->send(
        notice(fmt::format("the logs of node {} are missing: {}", node.node_name, opened.error().message)));
  while (true) {
    auto message = co_await (*opened)->receive();
    if (!message)
      co_return co_await lines->send(
          notice(fmt::format("the logs of node {} end here: {}", node.node_name, message.error().message)));
    if (!*message) co_return base::Result<>{};
    if ((*message)->has_log()) CO_RETURN_IF_ERROR(co_await lines->send(std::move(*(*message)->mutable_log())));
  }
}

// All nodes from `index` on, at the same time.
base::Co<> pump_nodes(NodeStreams* streams, std::shared_ptr<const std::vector<NodeTasks>> nodes, std::size_t index,
                      std::shared_ptr<base::Channel<v1::LogLine>> lines) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  if (index == nodes->size()) co_return base::Result<>{};
  auto [first, others] =
      co_await (pump_logs(streams, (*nodes)[index], lines) && pump_nodes(streams, nodes, index + 1, lines));
  CO_RETURN_IF_ERROR(first);
  co_return others;
}

base::Co<> wait_for_ever() {
  base::Notifier never(co_await boost::asio::this_coro::executor);
  co_return co_await never.wait();
}

// The end of the channel, not of this coroutine, is what the reader waits for.
base::Co<> pump_to_the_end(NodeStreams* streams, std::shared_ptr<const std::vector<NodeTasks>> nodes,
                           std::shared_ptr<base::Channel<v1::LogLine>> lines) {
  CO_RETURN_IF_ERROR(co_await pump_nodes(streams, nodes, 0, lines));
  lines->close();
  co_return co_await wait_for_ever();
}

base::Co<> forward_lines(core::TypedStream<v1::LogsRequest, v1::LogLine> stream,
                         std::shared_ptr<base::Channel<v1::LogLine>> lines) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto line, co_await lines->receive());
    if (!line) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(*line)));
  }
}

using ExecStream = core::TypedStream<v1::ExecInput, v1::ExecOutput>;

base::Co<> exec_inward(ExecStream user, NodeStream* node) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await user.receive());
    v1::StreamToAgent message;
    if (input) {
      *message.mutable_exec() = std::move(*input);
    } else {
      message.mutable_exec()->set_end(true);
    }
    CO_RETURN_IF_ERROR(co_await node->send(std::move(message)));
    if (!input) break;
  }
  // The user says no more; the output decides when it is over.
  co_return co_await wait_for_ever();
}

base::Co<> exec_outward(ExecStream user, NodeStream* node) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await node->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the node ended the command without an exit code");
    if (!message->has_exec()) continue;
    const bool last = message->exec().has_exit_code();
    CO_RETURN_IF_ERROR(co_await user.send(std::move(*message->mutable_exec())));
    if (last) co_return base::Result<>{};
  }
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
    if (!by_slot && task->spec().service() != name) continue;
    if (!is_current(*task)) continue;
    if (!by_slot) ++matches;
    if (!best || task->spec().slot() < best->spec().slot()) best = task;
  }
  if (!best)
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no task {}/{}: see `orchion ps --stack {}`", stack, name, stack));
  if (matches > 1)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{0}/{1} has {2} tasks: say which, like {0}/{1}.1", stack, name, matches));
  return best;
}

base::Co<v1::ListTasksResponse> TaskService::list(core::CallContext, v1::ListTasksRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListTasksResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto keep = [&](const v1::Task& task) {
    if (!request.stack().empty() && task.meta().stack() != request.stack()) return false;
    if (!request.service().empty() && task.spec().service() != request.service()) return false;
    if (!request.node().empty() && task.spec().assignment().node() != request.node()) return false;
    return request.all() || is_present(task);
  };
  for (const auto& task : page_of(context_.objects.view().tasks(), page, keep, *response.mutable_next_page_token()))
    *response.add_tasks() = *task;
  co_return response;
}

base::Co<v1::Task> TaskService::get(core::CallContext, v1::GetTaskRequest request) {
  CO_ASSIGN_OR_RETURN(const auto task, find(request.stack(), request.name()));
  co_return *task;
}

base::Co<> TaskService::logs(core::CallContext, core::TypedStream<v1::LogsRequest, v1::LogLine> stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  if (!context_.objects.view().stacks().find(request->stack()))
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("there is no stack {}: see `orchion stack ls`", request->stack()));
  const auto nodes = by_node(context_.objects.view(), *request);
  if (nodes.empty()) {
    if (request->service().empty()) co_return base::Result<>{};
    co_return base::fail(base::Code::kNotFound, fmt::format("no task of {}/{} has run yet: see `orchion ps --stack {}`",
                                                            request->stack(), request->service(), request->stack()));
  }
  auto lines = std::make_shared<base::Channel<v1::LogLine>>(context_.executor, kLinesInFlight);
  auto shared = std::make_shared<const std::vector<NodeTasks>>(nodes);
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (forward_lines(stream, lines) || pump_to_the_end(&streams_, shared, lines));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

base::Co<> TaskService::exec(core::CallContext, ExecStream stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (!first || !first->has_start())
    co_return base::fail(base::Code::kInvalidArgument, "the first message must say what to run");
  if (first->start().command().empty())
    co_return base::fail(base::Code::kInvalidArgument, "there is no command to run: say one after --");
  CO_ASSIGN_OR_RETURN(const auto task, find(first->start().stack(), first->start().task()));
  if (task->status().state() != v1::RUNNING)
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("{}/{} is not running: see `orchion ps --stack {}`", task->meta().stack(),
                                     slot_name(*task), task->meta().stack()));
  v1::StreamRequest request;
  request.mutable_exec()->set_task_uid(task->meta().uid());
  *request.mutable_exec()->mutable_start() = first->start();
  CO_ASSIGN_OR_RETURN(auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(request)));
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (exec_outward(stream, node.get()) || exec_inward(stream, node.get()));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

void add_task_service(core::MethodTable& table, std::shared_ptr<TaskService> service) {
  table.unary<v1::ListTasksRequest, v1::ListTasksResponse>(
      "orchion.v1.TaskService.ListTasks",
      [service](core::CallContext call, v1::ListTasksRequest request) { return service->list(call, request); });
  table.unary<v1::GetTaskRequest, v1::Task>(
      "orchion.v1.TaskService.GetTask",
      [service](core::CallContext call, v1::GetTaskRequest request) { return service->get(call, request); });
  table.stream<v1::LogsRequest, v1::LogLine>(
      "orchion.v1.TaskService.Logs",
      [service](core::CallContext call, auto stream) { return service->logs(std::move(call), stream); });
  table.stream<v1::ExecInput, v1::ExecOutput>(
      "orchion.v1.TaskService.Exec",
      [service](core::CallContext call, auto stream) { return service->exec(std::move(call), stream); });
}

}  // namespace orchion::control::services
