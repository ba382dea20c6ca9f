#include "control/services/run_logs.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "core/jobs.h"

namespace orchion::control::services {

namespace {

using Lines = base::Channel<v1::LogLine>;
using TaskPointer = std::shared_ptr<const v1::Task>;

// Outlived by nothing that reads it.
struct RunFollower {
  RunFollower(ServiceContext of, NodeStreams* through, v1::LogsRequest wanted, std::shared_ptr<Lines> to)
      : context(of),
        streams(through),
        request(std::move(wanted)),
        lines(std::move(to)),
        changed(std::make_shared<base::Notifier>(of.executor)) {}

  ServiceContext context;
  NodeStreams* streams;
  v1::LogsRequest request;
  std::shared_ptr<Lines> lines;
  std::shared_ptr<base::Notifier> changed;  // a task or a run
  std::set<std::string> known;              // uids of tasks that are attended, or were
};
using FollowerPointer = std::shared_ptr<RunFollower>;

TaskPointer newly_begun(const RunFollower& follower) {
  const auto& view = follower.context.objects.view();
  for (const auto& task : view.tasks_of_run(follower.request.stack(), follower.request.run()))
    if (task->status().has_started_at() && !follower.known.contains(task->meta().uid())) return task;
  return nullptr;
}

// nullptr: the run is over.
base::Co<TaskPointer> next_task(FollowerPointer follower) {
  while (true) {
    if (auto task = newly_begun(*follower)) {
      follower->known.insert(task->meta().uid());
      co_return task;
    }
    const auto run = follower->context.objects.view().runs().find(follower->request.stack(), follower->request.run());
    if (!run || core::is_ended(run->status().state())) co_return TaskPointer();
    CO_RETURN_IF_ERROR(co_await follower->changed->wait());
  }
}

base::Co<> say(FollowerPointer follower, std::string what) {
  v1::LogLine line;
  line.set_notice(std::move(what));
  co_return co_await follower->lines->send(std::move(line));
}

base::Co<> attend(FollowerPointer follower, TaskPointer task) {
  const auto& assignment = task->spec().assignment();
  v1::StreamRequest want;
  want.mutable_logs()->add_task_uids(task->meta().uid());
  *want.mutable_logs()->mutable_request() = follower->request;
  auto stream = co_await follower->streams->open(assignment.node_uid(), std::move(want));
  if (!stream)
    co_return co_await say(
        follower, fmt::format("the logs of node {} are missing: {}", assignment.node(), stream.error().message));
  while (true) {
    auto message = co_await (*stream)->receive();
    if (!message)
      co_return co_await say(
          follower, fmt::format("the logs of node {} end here: {}", assignment.node(), message.error().message));
    if (!*message) co_return base::Result<>{};
    if ((*message)->has_log())
      CO_RETURN_IF_ERROR(co_await follower->lines->send(std::move(*(*message)->mutable_log())));
  }
}

// The next task beside those that follow it.
base::Co<> attend_all(FollowerPointer follower) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  CO_ASSIGN_OR_RETURN(auto task, co_await next_task(follower));
  if (!task) co_return base::Result<>{};
  auto [first, others] = co_await (attend(follower, std::move(task)) && attend_all(follower));
  co_return first ? others : first;
}

}  // namespace

base::Co<> follow_run(ServiceContext context, NodeStreams* streams, v1::LogsRequest request,
                      std::shared_ptr<Lines> lines) {
  auto follower = std::make_shared<RunFollower>(context, streams, std::move(request), std::move(lines));
  const auto subscription = context.objects.subscribe([changed = follower->changed](const auto& commit) {
    const bool concerns = std::ranges::any_of(commit->changes, [](const store::ObjectChange& change) {
      return change.kind == "Task" || change.kind == "Run";
    });
    if (concerns) changed->notify();
  });
  co_return co_await attend_all(follower);
}

}  // namespace orchion::control::services
