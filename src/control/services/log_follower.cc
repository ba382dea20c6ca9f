#include "control/services/log_follower.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "core/defaults.h"
#include "core/jobs.h"
#include "core/log_source.h"
#include "core/recovery.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

using Batches = base::Channel<v1::LogBatch>;

// It has a task that runs or will, or is about to have one.
bool may_say_more(const store::View& view, const v1::Service& service) {
  std::uint32_t settled = 0;
  for (const auto& task : view.tasks_of_service(service.meta().stack(), service.meta().name())) {
    if (!core::is_terminal(task->status().state())) return true;
    if (task->spec().desired_state() != v1::DESIRED_RUNNING) continue;  // makes room for another, or goes for good
    if (core::wants_replacement(service.spec(), *task)) return true;
    ++settled;
  }
  return settled < core::tasks_wanted(service.spec());
}

bool runs_may_say_more(const store::View& view, const std::string& stack) {
  return std::ranges::any_of(view.runs().of_stack(stack),
                             [](const auto& run) { return !core::is_ended(run->status().state()); });
}

}  // namespace

std::vector<std::shared_ptr<const v1::Task>> tasks_for_logs(const store::View& view, const v1::LogsRequest& request) {
  std::vector<std::shared_ptr<const v1::Task>> tasks;
  const auto take = [&](const std::shared_ptr<const v1::Task>& task) {
    if (!task->spec().assignment().node_uid().empty() && core::is_wanted(core::log_source(*task), request))
      tasks.push_back(task);
  };
  if (request.stack().empty()) {
    for (const auto& [name, task] : view.tasks().all()) take(task);
  } else {
    for (const auto& task : view.tasks().of_stack(request.stack())) take(task);
  }
  return tasks;
}

v1::LogBatch log_notice(std::string what) {
  v1::LogBatch batch;
  batch.set_notice(std::move(what));
  return batch;
}

base::Co<> forward_logs(NodeStream* stream, std::string node, std::shared_ptr<Batches> batches) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message) {
      auto notice = log_notice(fmt::format("the logs of node {} end here: {}", node, message.error().message));
      co_return co_await batches->send(std::move(notice));
    }
    if (!*message) co_return base::Result<>{};
    if ((*message)->has_logs()) CO_RETURN_IF_ERROR(co_await batches->send(std::move(*(*message)->mutable_logs())));
  }
}

LogFollower::LogFollower(ServiceContext context, NodeStreams& streams, v1::LogsRequest request,
                         std::shared_ptr<Batches> batches)
    : context_(context),
      streams_(streams),
      request_(std::move(request)),
      batches_(std::move(batches)),
      changed_(std::make_shared<base::Notifier>(context.executor)) {}

std::shared_ptr<LogFollower> LogFollower::make(ServiceContext context, NodeStreams& streams, v1::LogsRequest request,
                                               std::shared_ptr<Batches> batches) {
  std::shared_ptr<LogFollower> follower(new LogFollower(context, streams, std::move(request), std::move(batches)));
  for (const auto& task : tasks_for_logs(context.objects.view(), follower->request_))
    follower->known_.insert(task->meta().uid());
  // What is new is told from its own beginning.
  follower->request_.clear_tail();
  follower->subscription_ = context.objects.subscribe([changed = follower->changed_](const auto& commit) {
    const bool concerns = std::ranges::any_of(commit->changes, [](const store::ObjectChange& change) {
      return change.kind == "Task" || change.kind == "Run" || change.kind == "Service";
    });
    if (concerns) changed->notify();
  });
  return follower;
}

LogFollower::TaskPointer LogFollower::newly_begun() {
  for (const auto& task : tasks_for_logs(context_.objects.view(), request_))
    if (task->status().has_started_at() && known_.insert(task->meta().uid()).second) return task;
  return nullptr;
}

bool LogFollower::is_over() const {
  const auto& view = context_.objects.view();
  if (!request_.task_uid().empty()) return true;
  if (request_.stack().empty()) return false;
  if (!request_.run().empty()) {
    const auto run = view.runs().find(request_.stack(), request_.run());
    return !run || core::is_ended(run->status().state());
  }
  if (!request_.service().empty()) {
    const auto service = view.services().find(request_.stack(), request_.service());
    return !service || !may_say_more(view, *service);
  }
  if (runs_may_say_more(view, request_.stack())) return false;
  return std::ranges::none_of(view.services().of_stack(request_.stack()),
                              [&](const auto& service) { return may_say_more(view, *service); });
}

// nullptr: there will be none.
base::Co<LogFollower::TaskPointer> LogFollower::next_task(std::shared_ptr<LogFollower> self) {
  while (true) {
    if (auto task = self->newly_begun()) co_return task;
    if (self->is_over()) co_return TaskPointer();
    CO_RETURN_IF_ERROR(co_await self->changed_->wait());
  }
}

base::Co<> LogFollower::attend(std::shared_ptr<LogFollower> self, TaskPointer task) {
  const auto& assignment = task->spec().assignment();
  v1::StreamRequest want;
  want.mutable_logs()->add_task_uids(task->meta().uid());
  auto& request = *want.mutable_logs()->mutable_request();
  request = self->request_;
  // Of this task alone, also where it is gone by then.
  request.set_previous(false);
  request.set_task_uid(task->meta().uid());
  auto stream = co_await self->streams_.open(assignment.node_uid(), std::move(want));
  if (!stream) {
    auto notice =
        log_notice(fmt::format("the logs of node {} are missing: {}", assignment.node(), stream.error().message));
    co_return co_await self->batches_->send(std::move(notice));
  }
  co_return co_await forward_logs(stream->get(), assignment.node(), self->batches_);
}

// The next task beside those that follow it.
base::Co<> LogFollower::run(std::shared_ptr<LogFollower> self) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  CO_ASSIGN_OR_RETURN(auto task, co_await next_task(self));
  if (!task) co_return base::Result<>{};
  auto [first, others] = co_await (attend(self, std::move(task)) && run(self));
  co_return first ? others : first;
}

}  // namespace orchion::control::services
