#include "control/services/task_logs.h"

#include <map>
#include <vector>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/timeout.h"
#include "control/services/log_follower.h"
#include "core/log_batch.h"

namespace orchion::control::services {

namespace {

using boost::asio::experimental::awaitable_operators::operator&&;

// A node that says nothing for so long holds the others' lines up no longer. A search through a long log says nothing
// until it finds something.
constexpr auto kSilenceMax = std::chrono::seconds(30);

// One node's lines, as its agent sends them: in the order of time up to its "caught up".
struct NodeLog {
  std::string node_uid;
  std::string node_name;
  v1::NodeLogs want;
  std::unique_ptr<NodeStream> stream;  // null: nothing comes from it any more
  core::LogBatchReader ahead;
  bool past = true;  // of what comes next
};
using NodeLogs = std::vector<std::shared_ptr<NodeLog>>;

NodeLogs by_node(const store::View& view, const v1::LogsRequest& request) {
  std::map<std::string, std::shared_ptr<NodeLog>> nodes;
  const auto node_of = [&nodes](const std::string& uid, const std::string& name) {
    auto& node = nodes[uid];
    if (!node) node = std::make_shared<NodeLog>();
    node->node_uid = uid;
    node->node_name = name;
    return node;
  };
  for (const auto& task : tasks_for_logs(view, request)) {
    const auto& assignment = task->spec().assignment();
    node_of(assignment.node_uid(), assignment.node())->want.add_task_uids(task->meta().uid());
  }
  // Who kept what tasks that are gone said is known to the nodes alone.
  if (request.previous() || (!request.task_uid().empty() && nodes.empty())) {
    for (const auto& [name, node] : view.nodes().all())
      if (request.node().empty() || node->meta().name() == request.node())
        node_of(node->meta().uid(), node->meta().name());
  }
  NodeLogs result;
  for (auto& [uid, node] : nodes) {
    *node->want.mutable_request() = request;
    result.push_back(std::move(node));
  }
  return result;
}

base::Co<> open_log(NodeStreams* streams, std::shared_ptr<NodeLog> node, std::shared_ptr<LogBatches> batches) {
  v1::StreamRequest request;
  *request.mutable_logs() = node->want;
  auto opened = co_await streams->open(node->node_uid, std::move(request));
  if (!opened) {
    auto notice =
        log_notice(fmt::format("the logs of node {} are missing: {}", node->node_name, opened.error().message));
    co_return co_await batches->send(std::move(notice));
  }
  node->stream = std::move(*opened);
  co_return base::Result<>{};
}

// The next lines of what is past, into `ahead`; none are left where that stays empty.
base::Co<> look_ahead(base::Clock* clock, std::shared_ptr<NodeLog> node, std::shared_ptr<LogBatches> batches) {
  while (node->stream && node->past && !node->ahead.has_line()) {
    auto message = co_await base::with_timeout(*clock, kSilenceMax, "its next line", node->stream->receive());
    if (message && *message && (*message)->has_logs()) {
      node->ahead = core::LogBatchReader(std::move(*(*message)->mutable_logs()));
    } else if (message && *message) {
      if ((*message)->caught_up()) node->past = false;
    } else {
      node->stream.reset();
    }
    if (!message) {
      auto notice =
          log_notice(fmt::format("the logs of node {} end here: {}", node->node_name, message.error().message));
      CO_RETURN_IF_ERROR(co_await batches->send(std::move(notice)));
    }
  }
  co_return base::Result<>{};
}

base::Co<> send_past(base::Clock* clock, std::shared_ptr<const NodeLogs> nodes, std::shared_ptr<LogBatches> batches) {
  core::LogBatchWriter merged;
  while (true) {
    std::shared_ptr<NodeLog> first;
    std::size_t with_lines = 0;
    for (const auto& node : *nodes) {
      CO_RETURN_IF_ERROR(co_await look_ahead(clock, node, batches));
      if (!node->ahead.has_line()) continue;
      ++with_lines;
      if (!first || node->ahead.line().time_ns < first->ahead.line().time_ns) first = node;
    }
    const bool alone = with_lines == 1;
    if (!merged.empty() && (!first || alone || merged.is_full()))
      CO_RETURN_IF_ERROR(co_await batches->send(merged.take()));
    if (!first) co_return base::Result<>{};
    if (alone) {
      CO_RETURN_IF_ERROR(co_await batches->send(first->ahead.take_rest()));
    } else {
      merged.add(first->ahead.line());
      first->ahead.pass();
    }
  }
}

base::Co<> send_new(std::shared_ptr<NodeLog> node, std::shared_ptr<LogBatches> batches) {
  if (node->stream) CO_RETURN_IF_ERROR(co_await forward_logs(node->stream.get(), node->node_name, batches));
  co_return base::Result<>{};
}

// All nodes from `index` on, at the same time.
base::Co<> open_all(NodeStreams* streams, std::shared_ptr<const NodeLogs> nodes, std::size_t index,
                    std::shared_ptr<LogBatches> batches) {
  if (index == nodes->size()) co_return base::Result<>{};
  auto [first, others] =
      co_await (open_log(streams, (*nodes)[index], batches) && open_all(streams, nodes, index + 1, batches));
  co_return first ? others : first;
}

base::Co<> send_all_new(std::shared_ptr<const NodeLogs> nodes, std::size_t index, std::shared_ptr<LogBatches> batches) {
  if (index == nodes->size()) co_return base::Result<>{};
  auto [first, others] = co_await (send_new((*nodes)[index], batches) && send_all_new(nodes, index + 1, batches));
  co_return first ? others : first;
}

// As it is told to the user.
std::string nothing_there(const v1::LogsRequest& request) {
  if (!request.run().empty())
    return fmt::format("no task of {0}/{1} has run yet: see `orchion job inspect {0}/{1}`", request.stack(),
                       request.run());
  return fmt::format(
      "no task of {0}/{1} has run yet, or no longer: see `orchion ps --stack {0}`, and `orchion logs "
      "{0}/{1} --previous` for what is gone",
      request.stack(), request.service());
}

}  // namespace

base::Result<v1::LogsRequest> resolve_logs(const store::View& view, v1::LogsRequest request) {
  if (request.stack().empty() || request.previous() || !request.task_uid().empty()) return request;
  if (!view.stacks().find(request.stack()))
    return base::fail(
        base::Code::kNotFound,
        fmt::format("there is no stack {0}: see `orchion stack ls`, and `orchion logs --stack {0} --previous` for "
                    "what is gone",
                    request.stack()));
  if (request.run().empty() || view.runs().find(request.stack(), request.run())) return request;
  const auto runs = view.runs_of_job(request.stack(), request.run());
  if (runs.empty())
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no run {0}/{1}, or no longer: see `orchion job history --stack {0}`",
                                  request.stack(), request.run()));
  request.set_run(runs.back()->meta().name());
  return request;
}

base::Co<> read_logs(ServiceContext context, NodeStreams* streams, v1::LogsRequest request,
                     std::shared_ptr<LogBatches> batches) {
  const auto& view = context.objects.view();
  auto nodes = std::make_shared<const NodeLogs>(by_node(view, request));
  const bool named = !request.run().empty() || !request.service().empty();
  if (nodes->empty() && named && !(request.follow() && !request.run().empty()))
    co_return base::fail(base::Code::kNotFound, nothing_there(request));
  std::shared_ptr<LogFollower> follower;
  if (request.follow()) follower = LogFollower::make(context, *streams, request, batches);
  CO_RETURN_IF_ERROR(co_await open_all(streams, nodes, 0, batches));
  CO_RETURN_IF_ERROR(co_await send_past(&context.clock, nodes, batches));
  if (follower) {
    auto [known, later] = co_await (send_all_new(nodes, 0, batches) && LogFollower::run(follower));
    CO_RETURN_IF_ERROR(std::move(known));
    CO_RETURN_IF_ERROR(std::move(later));
  }
  batches->close();
  co_return base::Result<>{};
}

}  // namespace orchion::control::services
