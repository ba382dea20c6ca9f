#include "node/agent/task_runner.h"
#include "core/health_check.h"
#include "core/lifecycle.h"
#include "core/task_changes.h"
#include "core/task_state.h"

#include <utility>

#include <fmt/core.h>

#include "base/log.h"
#include "core/timestamps.h"

namespace orchion::node::agent {

namespace {

// An image that no registry has doesn't appear within a second.
constexpr base::Duration kSlowRetry = std::chrono::seconds(10);

constexpr base::Duration kWatchRetry = std::chrono::seconds(1);

// A process that was up this long counts as healthy: its next end is a first one.
constexpr base::Duration kHealthy = std::chrono::seconds(10);

int failures_before(const v1::Task& task) {
  return static_cast<int>(core::label_count(task.meta(), core::kFailuresLabel));
}
constexpr char kTryFailed[] = "TryFailed";

double in_seconds(base::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string executor_of(const v1::TaskCheckpoint& checkpoint) {
  const auto& begun = checkpoint.status().executor();
  return begun.empty() ? checkpoint.assignment().container().executor() : begun;
}

TaskRunner::TaskRunner(TaskTools& tools, v1::TaskAssignment assignment)
    : tools_(tools),
      executor_(tools.executors.find(assignment.container().executor())),
      changed_(tools.group.executor()),
      restart_backoff_({}, failures_before(assignment.task())) {
  *checkpoint_.mutable_status() = first_status(assignment.task(), tools.clock.wall());
  *checkpoint_.mutable_assignment() = std::move(assignment);
  forget_what_is_told_twice();
  wish_unsaved_ = true;
}

TaskRunner::TaskRunner(TaskTools& tools, v1::TaskCheckpoint checkpoint,
                       std::optional<runtimes::ContainerInfo> container)
    : tools_(tools),
      checkpoint_(std::move(checkpoint)),
      executor_(tools.executors.find(executor_of(checkpoint_))),
      changed_(tools.group.executor()),
      restart_backoff_(
          {}, failures_before(checkpoint_.assignment().task()) + static_cast<int>(checkpoint_.status().failures())) {
  auto adoption = adopt(checkpoint_, container, tools.boot_id, tools.clock.wall());
  *checkpoint_.mutable_status() = std::move(adoption.status);
  running_ = adoption.running;
  end_ = std::move(adoption.end);
  const auto up = tools.clock.wall() - core::from_timestamp(status().started_at());
  up_since_ = tools.clock.now() - std::max(up, base::Duration::zero());
  published_ = running_ && !core::is_ready(status());  // perhaps: nobody knows how far the withdrawal had come
  if (checkpoint_.removed()) return;
  // An older agent didn't keep it here.
  const auto& container_spec = checkpoint_.assignment().container();
  if (running_ && !checkpoint_.has_health_check() && core::is_check(container_spec.health_check()))
    *checkpoint_.mutable_health_check() = container_spec.health_check();
  stop_signalled_ = status().state() == v1::STOPPING && !running_;
  holds_resources_ = true;
  if (!core::is_terminal(status().state())) tools.network_table.hold(task());
  if (running_) has_network();
}

base::Co<> TaskRunner::run() {
  report();
  if (running_) {
    begin_watch();
    begin_checks(/*adopted=*/true);
  }
  while (!forget_) {
    const auto seen = changed_.count();
    const auto step = next_step(view(), tools_.clock.now());
    if (step.kind != StepKind::kPrepareContainer && step.kind != StepKind::kStart) slot_.reset();
    if (step.kind != StepKind::kWait) {
      auto done = co_await perform(step);
      if (!done) failed(step.kind, std::move(done.error()));
    } else if (wish_unsaved_) {
      CO_RETURN_IF_ERROR(co_await save(Durability::kDisk));
    } else {
      say_what_it_waits_for();
      CO_RETURN_IF_ERROR(co_await changed_.wait_until(tools_.clock, step.until, seen));
    }
  }
  tools_.outbox.forget(uid());
  co_return co_await tools_.folder.remove_task(uid());
}

TaskView TaskRunner::view() const {
  TaskView view;
  view.wanted = !checkpoint_.unassigned() && task().spec().desired_state() == v1::DESIRED_RUNNING;
  view.kept =
      !view.wanted && !checkpoint_.unassigned() && !task().spec().run().empty() && !core::is_deleted(task().meta());
  view.removed = checkpoint_.removed();
  view.state = status().state();
  view.policy = checkpoint_.assignment().restart();
  view.recovery = recovery();
  view.restarts = restarts();
  view.image_ready = image_.has_value();
  view.container_ready = container_ready_;
  view.running = running_;
  view.end = end_;
  view.ready = core::is_ready(status());
  view.published = has_ports() ? published_ : view.ready;
  view.unhealthy = status().health() == v1::HEALTH_BAD;
  view.mending = mending_;
  view.interrupted = interrupted_;
  view.stop_signalled = stop_signalled_;
  view.kill_signalled = kill_signalled_;
  view.grace_ends = grace_ends_;
  view.not_before = not_before_;
  view.holds_resources = holds_resources_;
  view.network_there = has_network_to_enter();
  view.network_shared = tools_.network_table.shares().is_shared(uid());
  if (checkpoint_.assignment().on_node_loss() == v1::FENCE) view.fenced_at = tools_.lease.ends();
  return view;
}

base::Co<> TaskRunner::perform(Step step) {
  switch (step.kind) {
    case StepKind::kWait: co_return base::Result<>{};
    case StepKind::kPrepareImage: co_return co_await prepare_image();
    case StepKind::kPrepareContainer: co_return co_await prepare_container();
    case StepKind::kStart: co_return co_await start();
    case StepKind::kPublish: co_return co_await publish();
    case StepKind::kWithdraw: co_return co_await withdraw();
    case StepKind::kRestart: co_return co_await restart();
    case StepKind::kMend: co_return co_await begin_mending();
    case StepKind::kInterrupt: co_return co_await interrupt();
    case StepKind::kStop: co_return co_await stop();
    case StepKind::kKill: co_return co_await kill();
    case StepKind::kFinish: co_return co_await finish();
    case StepKind::kRelease: co_return co_await release();
    case StepKind::kRemove: co_return co_await remove();
  }
  co_return base::Result<>{};
}

void TaskRunner::assign(v1::TaskAssignment assignment) {
  const bool same_wish = assignment.task().spec().desired_state() == task().spec().desired_state() &&
                         core::is_deleted(assignment.task().meta()) == core::is_deleted(task().meta());
  if (!same_wish || checkpoint_.unassigned()) wish_unsaved_ = true;
  *checkpoint_.mutable_assignment() = std::move(assignment);
  forget_what_is_told_twice();
  checkpoint_.set_unassigned(false);
  changed_.notify();
}

// Its changes as the control plane has them came from here.
void TaskRunner::forget_what_is_told_twice() {
  checkpoint_.mutable_assignment()->mutable_task()->mutable_status()->clear_changes();
}

void TaskRunner::unassign() {
  if (checkpoint_.unassigned()) return;
  checkpoint_.set_unassigned(true);
  wish_unsaved_ = true;
  changed_.notify();
}

void TaskRunner::may_forget() {
  if (!checkpoint_.removed()) return;
  forget_ = true;
  changed_.notify();
}

void TaskRunner::begin_watch() {
  if (tools_.log_keeper != nullptr) tools_.log_keeper->attend(executor_->runtime.log_folder(uid()));
  tools_.group.spawn("watching " + uid(), watch(shared_from_this(), status().attempt()));
}

base::Co<> TaskRunner::watch(std::shared_ptr<TaskRunner> self, std::uint32_t attempt) {
  auto& tools = self->tools_;
  while (self->running_ && self->status().attempt() == attempt) {
    auto exit = co_await self->executor_->runtime.wait(self->uid());
    if (exit) {
      self->attempt_ended({*exit, ""});
      co_return base::Result<>{};
    }
    auto container = co_await self->executor_->runtime.inspect(self->uid());
    if (container && !*container) {
      self->attempt_ended({});
      co_return base::Result<>{};
    }
    CO_RETURN_IF_ERROR(co_await tools.clock.sleep(kWatchRetry));
  }
  co_return base::Result<>{};
}

void TaskRunner::attempt_ended(AttemptEnd end) {
  end.lasted = running_ && tools_.clock.now() - up_since_ >= kHealthy;
  if (end.lasted) restart_backoff_.reset();
  running_ = false;
  end_checks();
  if (interrupted_) {
    end.unhealthy = true;
    end.reason = how_ill();
  }
  count_end(end);
  if (is_wired_at_start()) attached_ = false;  // its next start brings another namespace
  end_ = std::move(end);
  changed_.notify();
}

// What went wrong is told, and tried again later; nothing stays half-made that the next try wouldn't finish.
void TaskRunner::failed(StepKind step, base::Error error) {
  auto delay = failure_backoff_.next(tools_.random);
  if (error.code == base::Code::kNotFound || error.code == base::Code::kInvalidArgument)
    delay = std::max(delay, kSlowRetry);
  not_before_ = tools_.clock.now() + delay;
  if (step == StepKind::kKill) grace_ends_ = not_before_;
  if (step != StepKind::kPublish && step != StepKind::kWithdraw) {
    container_ready_ = false;
    attached_ = false;
    slot_.reset();
  }
  base::log::warn("task {}: {}", task().meta().name(), error.message);
  if (core::is_terminal(status().state())) return;
  const bool is_before_start =
      step == StepKind::kPrepareImage || step == StepKind::kPrepareContainer || step == StepKind::kStart;
  if (is_before_start) count_failure();
  const auto& changes = status().changes();
  // Each try that fails alike is the same news.
  const bool is_news = changes.empty() || changes.rbegin()->reason() != kTryFailed ||
                       !error.message.starts_with(changes.rbegin()->message().substr(0, core::kChangeMessageMax / 2));
  if (is_news) note(status().state(), kTryFailed, error.message);
  status_now().set_message(fmt::format("{}; trying again in {:.1f} s{}", error.message, in_seconds(delay),
                                       is_before_start ? after_failures() : ""));
  report();
}

// Within an attempt only forward.
void TaskRunner::enter(v1::TaskState state, const char* reason, std::string message) {
  if (state <= status().state()) return;
  note(state, reason, message);
  move_to(state, std::move(message));
}

// Where what happened is noted already.
void TaskRunner::move_to(v1::TaskState state, std::string message) {
  status_now().set_state(state);
  status_now().set_message(std::move(message));
  *status_now().mutable_since() = core::to_timestamp(tools_.clock.wall());
  report();
}

// What happens from here on to the next report is all in it.
void TaskRunner::note(v1::TaskState state, const char* reason, std::string message) {
  core::append_change(*status_now().mutable_changes(),
                      change_of(status(), state, reason, std::move(message), tools_.clock.wall()));
}

void TaskRunner::report() {
  v1::TaskReport report;
  report.set_task_uid(uid());
  *report.mutable_status() = status();
  report.set_removed(checkpoint_.removed());
  tools_.outbox.put(std::move(report));
}

bool TaskRunner::has_ports() const {
  for (const auto& port : task().spec().assignment().ports()) {
    if (port.host_port() != 0) return true;
  }
  return false;
}

}  // namespace orchion::node::agent
