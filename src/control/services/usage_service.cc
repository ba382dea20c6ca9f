#include "control/services/usage_service.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "base/timeout.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

using boost::asio::experimental::awaitable_operators::operator&&;
using boost::asio::experimental::awaitable_operators::operator||;
using WatchStream = core::TypedStream<v1::WatchUsageRequest, v1::TaskUsages>;
using Uids = std::vector<std::string>;

constexpr auto kAnswerLimit = std::chrono::seconds(2);
constexpr std::uint32_t kIntervalDefaultMs = 1000;
constexpr std::uint32_t kIntervalMinMs = 200;
constexpr std::uint32_t kIntervalMaxMs = 60'000;

// Before a node that was away is asked again.
constexpr auto kRetryInterval = std::chrono::seconds(1);

// Tasks seldom change alone: what changes within this time is one change.
constexpr auto kSettleTime = std::chrono::milliseconds(200);

// What a slow reader may be behind; then the nodes wait.
constexpr std::size_t kMessagesAhead = 16;

// Of those that the request names.
template <class Request>
std::vector<std::shared_ptr<const v1::Task>> tasks_of(const store::View& view, const Request& request) {
  std::vector<std::shared_ptr<const v1::Task>> tasks;
  if (!request.stack().empty()) {
    tasks = view.tasks().of_stack(request.stack());
  } else {
    for (const auto& [name, task] : view.tasks().all()) tasks.push_back(task);
  }
  std::erase_if(tasks, [&](const auto& task) {
    return task->spec().assignment().node_uid().empty() ||
           (!request.service().empty() && task->spec().service() != request.service());
  });
  return tasks;
}

template <class Request>
base::Result<> check_names(const store::View& view, const Request& request) {
  if (request.stack().empty()) return {};
  if (!view.stacks().find(request.stack()))
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no stack {}: see `orchion stack ls`", request.stack()));
  if (!request.service().empty() && !view.services().find(request.stack(), request.service()))
    return base::fail(base::Code::kNotFound, fmt::format("there is no service {}/{}: see `orchion ps --stack {}`",
                                                         request.stack(), request.service(), request.stack()));
  return {};
}

v1::StreamRequest usage_request(const Uids& task_uids, std::uint32_t interval_ms) {
  v1::StreamRequest request;
  request.mutable_usage()->mutable_task_uids()->Assign(task_uids.begin(), task_uids.end());
  request.mutable_usage()->set_interval_ms(interval_ms);
  return request;
}

// Agents know tasks by their uids alone. What isn't the node's own is left out.
v1::TaskUsages with_names(const store::View& view, const std::string& node_uid, v1::TaskUsages usages) {
  v1::TaskUsages named;
  for (auto& usage : *usages.mutable_tasks()) {
    const auto task = view.tasks().find_uid(usage.task_uid());
    if (!task || task->spec().assignment().node_uid() != node_uid) continue;
    usage.set_stack(task->meta().stack());
    usage.set_service(task->spec().service());
    usage.set_run(task->spec().run());
    usage.set_slot(task->spec().run().empty() ? task->spec().slot() : task->spec().index());
    usage.set_task(task->meta().name());
    usage.set_node(task->spec().assignment().node());
    *named.add_tasks() = std::move(usage);
  }
  return named;
}

// The next sample of an open stream.
base::Co<v1::TaskUsages> next_usages(NodeStream* stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the node says no more");
    if (message->has_usage()) co_return std::move(*message->mutable_usage());
  }
}

base::Co<v1::TaskUsages> ask_node(NodeStreams* streams, std::string node_uid, Uids task_uids) {
  CO_ASSIGN_OR_RETURN(const auto stream, co_await streams->open(node_uid, usage_request(task_uids, 0)));
  co_return co_await next_usages(stream.get());
}

struct Asked {
  std::string node_uid;
  Uids task_uids;
  v1::TaskUsages answer;
};
using AllAsked = std::vector<Asked>;

// Who doesn't answer has said nothing.
base::Co<> ask_one(base::Clock* clock, NodeStreams* streams, std::shared_ptr<AllAsked> all, std::size_t index) {
  auto& asked = (*all)[index];
  auto answer = co_await base::with_timeout(*clock, kAnswerLimit, "asking a node",
                                            ask_node(streams, asked.node_uid, asked.task_uids));
  if (answer) asked.answer = std::move(*answer);
  co_return base::Result<>{};
}

// All nodes from `index` on, at the same time.
base::Co<> ask_all(base::Clock* clock, NodeStreams* streams, std::shared_ptr<AllAsked> all, std::size_t index) {
  if (index == all->size()) co_return base::Result<>{};
  auto [first, others] = co_await (ask_one(clock, streams, all, index) && ask_all(clock, streams, all, index + 1));
  co_return first ? others : first;
}

// A node for as long as one watches; it may be without tasks for a while.
struct WatchedNode {
  WatchedNode(base::Executor executor, std::string node) : uid(std::move(node)), changed(std::move(executor)) {}
  const std::string uid;
  Uids task_uids;
  base::Notifier changed;
};

struct UsageWatch {
  UsageWatch(ServiceContext from, NodeStreams& nodes_streams, v1::WatchUsageRequest wanted)
      : context(from),
        streams(nodes_streams),
        request(std::move(wanted)),
        messages(from.executor, kMessagesAhead),
        fresh(from.executor, kMessagesAhead) {}

  ServiceContext context;
  NodeStreams& streams;
  const v1::WatchUsageRequest request;
  std::map<std::string, std::shared_ptr<WatchedNode>> nodes;  // by uid
  base::Channel<v1::TaskUsages> messages;
  base::Channel<std::shared_ptr<WatchedNode>> fresh;  // those that nobody attends to yet
};

// Those that run or are about to: a task that starts is in the next sample without another stream.
std::map<std::string, Uids> tasks_by_node(const UsageWatch& watch) {
  std::map<std::string, Uids> result;
  for (const auto& task : tasks_of(watch.context.objects.view(), watch.request))
    if (!core::is_terminal(task->status().state()) && task->spec().desired_state() != v1::DESIRED_LOST)
      result[task->spec().assignment().node_uid()].push_back(task->meta().uid());
  return result;
}

base::Co<> update_nodes(std::shared_ptr<UsageWatch> watch) {
  auto tasks = tasks_by_node(*watch);
  for (auto& [uid, node] : watch->nodes) {
    auto now = tasks.extract(uid);
    auto task_uids = now.empty() ? Uids() : std::move(now.mapped());
    if (task_uids == node->task_uids) continue;
    node->task_uids = std::move(task_uids);
    node->changed.notify();
  }
  for (auto& [uid, task_uids] : tasks) {
    auto node = std::make_shared<WatchedNode>(watch->context.executor, uid);
    node->task_uids = std::move(task_uids);
    watch->nodes.emplace(uid, node);
    CO_RETURN_IF_ERROR(co_await watch->fresh.send(std::move(node)));
  }
  co_return base::Result<>{};
}

base::Co<> track_tasks(std::shared_ptr<UsageWatch> watch) {
  struct Changes {
    explicit Changes(base::Executor executor) : arrived(std::move(executor)) {}
    bool any = false;
    base::Notifier arrived;
  };
  auto changes = std::make_shared<Changes>(watch->context.executor);
  const auto subscription = watch->context.objects.subscribe([changes](const auto& commit) {
    changes->any = changes->any || std::ranges::any_of(commit->changes, [](const auto& c) { return c.kind == "Task"; });
    changes->arrived.notify();
  });
  while (true) {
    changes->any = false;
    CO_RETURN_IF_ERROR(co_await update_nodes(watch));
    while (!changes->any) CO_RETURN_IF_ERROR(co_await changes->arrived.wait());
    CO_RETURN_IF_ERROR(co_await watch->context.clock.sleep(kSettleTime));
  }
}

// Until the stream ends.
base::Co<> pass_on(std::shared_ptr<UsageWatch> watch, std::shared_ptr<WatchedNode> node, Uids task_uids) {
  const auto interval_ms = watch->request.interval_ms();
  CO_ASSIGN_OR_RETURN(const auto stream,
                      co_await watch->streams.open(node->uid, usage_request(task_uids, interval_ms)));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto usages, co_await next_usages(stream.get()));
    auto named = with_names(watch->context.objects.view(), node->uid, std::move(usages));
    if (!named.tasks().empty()) CO_RETURN_IF_ERROR(co_await watch->messages.send(std::move(named)));
  }
}

base::Co<> wait_for_others(std::shared_ptr<WatchedNode> node, Uids task_uids) {
  while (node->task_uids == task_uids) CO_RETURN_IF_ERROR(co_await node->changed.wait());
  co_return base::Result<>{};
}

base::Co<> attend_to(std::shared_ptr<UsageWatch> watch, std::shared_ptr<WatchedNode> node) {
  while (true) {
    const auto task_uids = node->task_uids;
    if (task_uids.empty()) {
      CO_RETURN_IF_ERROR(co_await wait_for_others(node, task_uids));
      continue;
    }
    const auto ended = co_await (pass_on(watch, node, task_uids) || wait_for_others(node, task_uids));
    if (ended.index() == 0) CO_RETURN_IF_ERROR(co_await watch->context.clock.sleep(kRetryInterval));
  }
}

// Each node as it comes up, and all those after it.
base::Co<> attend_to_all(std::shared_ptr<UsageWatch> watch) {
  CO_ASSIGN_OR_RETURN(auto node, co_await watch->fresh.receive());
  if (!node) co_return base::Result<>{};
  auto [first, others] = co_await (attend_to(watch, std::move(*node)) && attend_to_all(watch));
  co_return first ? others : first;
}

base::Co<> send_to(WatchStream stream, std::shared_ptr<UsageWatch> watch) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await watch->messages.receive());
    if (!message) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(*message)));
  }
}

base::Result<> check_interval(std::uint32_t interval_ms) {
  if (interval_ms == 0 || (interval_ms >= kIntervalMinMs && interval_ms <= kIntervalMaxMs)) return {};
  const auto wanted = fmt::format("{} to {} are wanted", kIntervalMinMs, kIntervalMaxMs);
  return std::unexpected(base::Error{base::Code::kInvalidArgument,
                                     fmt::format("{} ms between two samples: {}", interval_ms, wanted),
                                     {{"/intervalMs", wanted}}});
}

}  // namespace

base::Co<v1::TaskUsages> UsageService::list(core::CallContext, v1::ListUsageRequest request) {
  CO_RETURN_IF_ERROR(check_names(context_.objects.view(), request));
  std::map<std::string, Uids> by_node;
  for (const auto& task : tasks_of(context_.objects.view(), request))
    if (task->status().state() == v1::RUNNING)
      by_node[task->spec().assignment().node_uid()].push_back(task->meta().uid());
  auto all = std::make_shared<AllAsked>();
  for (auto& [node_uid, task_uids] : by_node) all->push_back({node_uid, std::move(task_uids), {}});
  CO_RETURN_IF_ERROR(co_await ask_all(&context_.clock, &streams_, all, 0));
  v1::TaskUsages result;
  for (auto& asked : *all)
    result.MergeFrom(with_names(context_.objects.view(), asked.node_uid, std::move(asked.answer)));
  auto place = [](const auto& usage) { return std::tie(usage.stack(), usage.service(), usage.run()); };
  std::sort(result.mutable_tasks()->begin(), result.mutable_tasks()->end(), [&](const auto& a, const auto& b) {
    return place(a) == place(b) ? a.slot() < b.slot() : place(a) < place(b);
  });
  co_return result;
}

base::Co<> UsageService::watch(core::CallContext, WatchStream stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  CO_RETURN_IF_ERROR(check_interval(request->interval_ms()));
  CO_RETURN_IF_ERROR(check_names(context_.objects.view(), *request));
  if (request->interval_ms() == 0) request->set_interval_ms(kIntervalDefaultMs);
  auto watch = std::make_shared<UsageWatch>(context_, streams_, std::move(*request));
  auto ended = co_await (send_to(stream, watch) || track_tasks(watch) || attend_to_all(watch));
  co_return std::visit([](auto& result) { return result; }, ended);
}

void add_usage_service(core::MethodTable& table, std::shared_ptr<UsageService> service) {
  table.unary<v1::ListUsageRequest, v1::TaskUsages>(
      "orchion.v1.TaskService.ListUsage",
      [service](core::CallContext call, v1::ListUsageRequest request) { return service->list(call, request); });
  table.stream<v1::WatchUsageRequest, v1::TaskUsages>(
      "orchion.v1.TaskService.WatchUsage",
      [service](core::CallContext call, auto stream) { return service->watch(std::move(call), stream); });
}

}  // namespace orchion::control::services
