#include "control/services/task_logs.h"

#include <map>
#include <tuple>
#include <vector>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "base/timeout.h"
#include "control/services/run_logs.h"

namespace orchion::control::services {

namespace {

using boost::asio::experimental::awaitable_operators::operator&&;
using boost::asio::experimental::awaitable_operators::operator||;
using Lines = base::Channel<v1::LogLine>;

constexpr std::size_t kLinesInFlight = 1024;

// A node that says nothing for so long holds the others' lines up no longer. A search through a long log says nothing
// until it finds something.
constexpr auto kSilenceMax = std::chrono::seconds(30);

// One node's lines, as its agent sends them: in the order of time up to its "caught up".
struct NodeLog {
  std::string node_uid;
  std::string node_name;
  v1::NodeLogs want;
  std::unique_ptr<NodeStream> stream;  // null: nothing comes from it any more
  std::optional<v1::LogLine> ahead;
  bool past = true;  // of what comes next
};
using NodeLogs = std::vector<std::shared_ptr<NodeLog>>;

NodeLogs by_node(const store::View& view, const v1::LogsRequest& request) {
  std::map<std::string, std::shared_ptr<NodeLog>> nodes;
  for (const auto& task : view.tasks().of_stack(request.stack())) {
    const auto& assignment = task->spec().assignment();
    if (assignment.node_uid().empty()) continue;
    if (!request.service().empty() && task->spec().service() != request.service()) continue;
    if (!request.run().empty() && task->spec().run() != request.run()) continue;
    if (request.slot() != 0 && task->spec().slot() != request.slot()) continue;
    auto& node = nodes[assignment.node_uid()];
    if (!node) node = std::make_shared<NodeLog>();
    node->node_uid = assignment.node_uid();
    node->node_name = assignment.node();
    node->want.add_task_uids(task->meta().uid());
  }
  NodeLogs result;
  for (auto& [uid, node] : nodes) {
    *node->want.mutable_request() = request;
    result.push_back(std::move(node));
  }
  return result;
}

// A job's name stands for its newest run.
base::Result<> name_run(const store::View& view, v1::LogsRequest& request) {
  if (request.run().empty() || view.runs().find(request.stack(), request.run())) return {};
  const auto runs = view.runs_of_job(request.stack(), request.run());
  if (runs.empty())
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no run {0}/{1}, or no longer: see `orchion job history --stack {0}`",
                                  request.stack(), request.run()));
  request.set_run(runs.back()->meta().name());
  return {};
}

v1::LogLine notice(const std::string& text) {
  v1::LogLine line;
  line.set_notice(text);
  return line;
}

base::Co<> open_log(NodeStreams* streams, std::shared_ptr<NodeLog> node, std::shared_ptr<Lines> lines) {
  v1::StreamRequest request;
  *request.mutable_logs() = node->want;
  auto opened = co_await streams->open(node->node_uid, std::move(request));
  if (!opened)
    co_return co_await lines->send(
        notice(fmt::format("the logs of node {} are missing: {}", node->node_name, opened.error().message)));
  node->stream = std::move(*opened);
  co_return base::Result<>{};
}

// The next line of what is past, into `ahead`; none is left where that stays empty.
base::Co<> look_ahead(base::Clock* clock, std::shared_ptr<NodeLog> node, std::shared_ptr<Lines> lines) {
  while (node->stream && node->past && !node->ahead) {
    auto message = co_await base::with_timeout(*clock, kSilenceMax, "its next line", node->stream->receive());
    if (message && *message && (*message)->has_log()) {
      node->ahead = std::move(*(*message)->mutable_log());
    } else if (message && *message) {
      if ((*message)->caught_up()) node->past = false;
    } else {
      node->stream.reset();
    }
    if (!message)
      CO_RETURN_IF_ERROR(co_await lines->send(
          notice(fmt::format("the logs of node {} end here: {}", node->node_name, message.error().message))));
  }
  co_return base::Result<>{};
}

auto time_of(const v1::LogLine& line) {
  return std::tuple(line.time().seconds(), line.time().nanos());
}

base::Co<> send_past(base::Clock* clock, std::shared_ptr<const NodeLogs> nodes, std::shared_ptr<Lines> lines) {
  while (true) {
    std::shared_ptr<NodeLog> first;
    for (const auto& node : *nodes) {
      CO_RETURN_IF_ERROR(co_await look_ahead(clock, node, lines));
      if (node->ahead && (!first || time_of(*node->ahead) < time_of(*first->ahead))) first = node;
    }
    if (!first) co_return base::Result<>{};
    auto line = std::move(*std::exchange(first->ahead, std::nullopt));
    CO_RETURN_IF_ERROR(co_await lines->send(std::move(line)));
  }
}

base::Co<> send_new(std::shared_ptr<NodeLog> node, std::shared_ptr<Lines> lines) {
  while (node->stream) {
    auto message = co_await node->stream->receive();
    if (!message)
      co_return co_await lines->send(
          notice(fmt::format("the logs of node {} end here: {}", node->node_name, message.error().message)));
    if (!*message) break;
    if ((*message)->has_log()) CO_RETURN_IF_ERROR(co_await lines->send(std::move(*(*message)->mutable_log())));
  }
  co_return base::Result<>{};
}

// All nodes from `index` on, at the same time.
base::Co<> open_all(NodeStreams* streams, std::shared_ptr<const NodeLogs> nodes, std::size_t index,
                    std::shared_ptr<Lines> lines) {
  if (index == nodes->size()) co_return base::Result<>{};
  auto [first, others] =
      co_await (open_log(streams, (*nodes)[index], lines) && open_all(streams, nodes, index + 1, lines));
  co_return first ? others : first;
}

base::Co<> send_all_new(std::shared_ptr<const NodeLogs> nodes, std::size_t index, std::shared_ptr<Lines> lines) {
  if (index == nodes->size()) co_return base::Result<>{};
  auto [first, others] = co_await (send_new((*nodes)[index], lines) && send_all_new(nodes, index + 1, lines));
  co_return first ? others : first;
}

// The end of the channel, not of this coroutine, is what the reader waits for.
base::Co<> collect(base::Clock* clock, NodeStreams* streams, std::shared_ptr<const NodeLogs> nodes,
                   std::shared_ptr<Lines> lines) {
  CO_RETURN_IF_ERROR(co_await open_all(streams, nodes, 0, lines));
  CO_RETURN_IF_ERROR(co_await send_past(clock, nodes, lines));
  CO_RETURN_IF_ERROR(co_await send_all_new(nodes, 0, lines));
  lines->close();
  co_return co_await base::wait_for_ever();
}

// Likewise of a run.
base::Co<> collect_run(ServiceContext context, NodeStreams* streams, v1::LogsRequest request,
                       std::shared_ptr<Lines> lines) {
  CO_RETURN_IF_ERROR(co_await follow_run(context, streams, std::move(request), lines));
  lines->close();
  co_return co_await base::wait_for_ever();
}

base::Co<> forward(core::TypedStream<v1::LogsRequest, v1::LogLine> stream, std::shared_ptr<Lines> lines) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto line, co_await lines->receive());
    if (!line) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(*line)));
  }
}

}  // namespace

base::Co<> send_logs(ServiceContext context, NodeStreams& streams, v1::LogsRequest request,
                     core::TypedStream<v1::LogsRequest, v1::LogLine> stream) {
  if (!context.objects.view().stacks().find(request.stack()))
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("there is no stack {}: see `orchion stack ls`", request.stack()));
  CO_RETURN_IF_ERROR(name_run(context.objects.view(), request));
  auto lines = std::make_shared<Lines>(context.executor, kLinesInFlight);
  if (request.follow() && !request.run().empty()) {
    auto followed = co_await (forward(stream, lines) || collect_run(context, &streams, request, lines));
    co_return followed.index() == 0 ? std::get<0>(followed) : std::get<1>(followed);
  }
  auto nodes = std::make_shared<const NodeLogs>(by_node(context.objects.view(), request));
  if (nodes->empty()) {
    if (!request.run().empty())
      co_return base::fail(base::Code::kNotFound, fmt::format("no task of {0}/{1} has run yet: see `orchion job "
                                                              "inspect {0}/{1}`",
                                                              request.stack(), request.run()));
    if (request.service().empty()) co_return base::Result<>{};
    co_return base::fail(base::Code::kNotFound, fmt::format("no task of {}/{} has run yet: see `orchion ps --stack {}`",
                                                            request.stack(), request.service(), request.stack()));
  }
  auto ended = co_await (forward(stream, lines) || collect(&context.clock, &streams, nodes, lines));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::control::services
