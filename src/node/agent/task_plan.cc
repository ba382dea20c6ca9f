#include "node/agent/task_plan.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/task_changes.h"
#include "core/task_state.h"
#include "core/timestamps.h"

namespace orchion::node::agent {

namespace {

// Not the machine's, which takes everything with it when it is restarted: that is no reason for another way.
bool is_own_failure(const AttemptEnd& end) {
  return is_failure(end) && (end.unhealthy || (end.exit && end.exit->reason.empty()));
}

StepKind after_end(const TaskView& view) {
  if (!restarts_after(view.policy, view.restarts, *view.end)) return StepKind::kFinish;
  const bool restarts_here = view.recovery == v1::Recovery::RESTART || view.recovery == v1::Recovery::RUN_COMMAND;
  return restarts_here || !is_own_failure(*view.end) ? StepKind::kRestart : StepKind::kFinish;
}

// What is done about a running task that is ill; nothing: it runs on.
std::optional<StepKind> remedy(const TaskView& view) {
  const AttemptEnd ill{.exit = std::nullopt, .reason = "", .unhealthy = true};
  if (!view.unhealthy || view.recovery == v1::Recovery::NOTHING) return std::nullopt;
  if (!restarts_after(view.policy, view.restarts, ill)) return std::nullopt;
  if (view.recovery != v1::Recovery::RUN_COMMAND) return StepKind::kInterrupt;
  switch (view.mending) {
    case Mending::kNotTried: return StepKind::kMend;
    case Mending::kAtWork: return std::nullopt;
    default: return StepKind::kInterrupt;
  }
}

Step clean_up(const TaskView& view, base::Time now) {
  const bool stays = view.wanted || view.kept;
  if (stays && !view.holds_resources) return {StepKind::kWait};
  if (now < view.not_before) return {StepKind::kWait, view.not_before};
  if (view.network_shared) return {StepKind::kWait};
  return {stays ? StepKind::kRelease : StepKind::kRemove};
}

// The signal, and SIGKILL after the grace.
Step await_end(const TaskView& view, base::Time now) {
  if (now < view.grace_ends) return {StepKind::kWait, view.grace_ends};
  if (!view.kill_signalled) return {StepKind::kKill};
  return {StepKind::kWait};
}

Step stop(const TaskView& view, base::Time now) {
  if (view.end || !view.running) return {StepKind::kFinish};
  if (!view.stop_signalled) return {StepKind::kStop};
  return await_end(view, now);
}

Step run(const TaskView& view, base::Time now) {
  if (view.end) return {after_end(view)};
  if (view.running && view.interrupted) return await_end(view, now);
  if (const auto step = remedy(view); view.running && step) return {*step};
  if (view.running && view.published == view.ready) return {StepKind::kWait, view.fenced_at};
  if (now < view.not_before) return {StepKind::kWait, std::min(view.not_before, view.fenced_at)};
  if (view.running) return {view.ready ? StepKind::kPublish : StepKind::kWithdraw};
  if (!view.image_ready) return {StepKind::kPrepareImage};
  if (!view.network_there) return {StepKind::kWait, view.fenced_at};
  if (!view.container_ready) return {StepKind::kPrepareContainer};
  return {StepKind::kStart};
}

}  // namespace

Step next_step(const TaskView& view, base::Time now) {
  if (view.removed) return {StepKind::kWait};
  if (core::is_terminal(view.state)) return clean_up(view, now);
  // A stop that was begun is finished, whatever is wanted by then.
  return view.wanted && !view.stop_signalled && now < view.fenced_at ? run(view, now) : stop(view, now);
}

bool restarts_after(const v1::RestartPolicy& policy, std::uint32_t restarts, const AttemptEnd& end) {
  if (policy.max_attempts() > 0 && restarts >= policy.max_attempts()) return false;
  switch (policy.condition()) {
    case v1::RestartPolicy::ALWAYS:
    case v1::RestartPolicy::UNLESS_STOPPED: return true;
    case v1::RestartPolicy::DEFAULT:
    case v1::RestartPolicy::ON_FAILURE: return is_failure(end);
    default: return false;
  }
}

bool is_failure(const AttemptEnd& end) {
  return end.unhealthy || !end.exit || end.exit->code != 0 || end.exit->oom_killed;
}

v1::TaskState final_state(const TaskView& view) {
  if (view.stop_signalled || !view.end) return v1::STOPPED;
  return is_failure(*view.end) ? v1::FAILED : v1::SUCCEEDED;
}

std::string describe_end(const AttemptEnd& end, std::int64_t memory_bytes) {
  if (!end.reason.empty()) return end.reason;
  if (!end.exit) return "its container is gone: the machine was restarted, or somebody else removed it";
  if (end.exit->oom_killed) {
    if (memory_bytes <= 0)
      return "was killed because memory ran out: set a memory limit that fits, or place it on a larger node";
    return fmt::format("used more than its {:g} MiB of memory and was killed: raise its limit",
                       static_cast<double>(memory_bytes) / (1 << 20));
  }
  if (end.exit->signal != 0) return fmt::format("was killed by signal {}", end.exit->signal);
  return fmt::format("exited with {}", end.exit->code);
}

const char* end_reason(const AttemptEnd& end) {
  if (end.unhealthy) return "Interrupted";
  if (!end.exit) return "Vanished";
  if (end.exit->oom_killed) return "OutOfMemory";
  if (end.exit->signal != 0) return "Killed";
  if (!end.reason.empty()) return "CannotStart";
  return end.exit->code == 0 ? "Completed" : "Exited";
}

v1::TaskChange change_of(const v1::TaskStatus& status, v1::TaskState state, const char* reason, std::string message,
                         base::WallTime now) {
  v1::TaskChange change;
  *change.mutable_time() = core::to_timestamp(now);
  change.set_state(state);
  change.set_attempt(status.attempt());
  change.set_reason(reason);
  change.set_message(std::move(message));
  return change;
}

base::WallTime not_before_last(const v1::TaskStatus& status, base::WallTime time) {
  if (status.changes().empty()) return time;
  return std::max(time, core::from_timestamp(status.changes().rbegin()->time()));
}

namespace {

void set_state(v1::TaskStatus& status, v1::TaskState state, base::WallTime now) {
  status.set_state(state);
  *status.mutable_since() = core::to_timestamp(now);
}

// Its checkpoint was written before it ran.
void note_running(v1::TaskStatus& status, const runtimes::ContainerInfo& container) {
  core::append_change(*status.mutable_changes(),
                      change_of(status, v1::RUNNING, "Running", "", not_before_last(status, container.started_at)));
}

// The process goes on: same container, same pid, same attempt.
Adoption adopt_running(v1::TaskStatus status, const runtimes::ContainerInfo& container, base::WallTime now) {
  const bool same = status.attempt() == container.attempt;
  status.set_attempt(std::max(status.attempt(), container.attempt));
  if (!same || status.state() < v1::RUNNING) {
    set_state(status, v1::RUNNING, now);
    note_running(status, container);
    status.clear_message();
    status.clear_exit_code();
    status.clear_finished_at();
  }
  status.set_pid(container.pid);
  status.set_container_id(container.id);  // begun, perhaps, after the checkpoint was last written
  *status.mutable_started_at() = core::to_timestamp(container.started_at);
  return {std::move(status), true, std::nullopt};
}

}  // namespace

Adoption adopt(const v1::TaskCheckpoint& checkpoint, const std::optional<runtimes::ContainerInfo>& container,
               const std::string& boot_id, base::WallTime now) {
  const auto& status = checkpoint.status();
  if (checkpoint.removed() || core::is_terminal(status.state())) return {status};
  const bool has_attempt = container && container->attempt >= std::max(status.attempt(), 1u);
  if (has_attempt && container->phase == runtimes::ContainerPhase::kRunning)
    return adopt_running(status, *container, now);
  Adoption result{status};
  if (has_attempt && container->phase == runtimes::ContainerPhase::kExited) {
    const bool same = status.attempt() == container->attempt;
    result.status.set_attempt(container->attempt);
    if (!same || status.state() < v1::RUNNING) note_running(result.status, *container);
    // What it left is looked for only where it began.
    *result.status.mutable_started_at() = core::to_timestamp(container->started_at);
    result.end = AttemptEnd{container->exit, ""};
    return result;
  }
  // STARTING is written before the start: in the same run of the machine the runtime would know of one, after a
  // restart of the machine nobody can tell, so the attempt counts as made.
  const bool rebooted = checkpoint.boot_id() != boot_id;
  if (status.state() >= v1::RUNNING || (status.state() == v1::STARTING && rebooted)) result.end = AttemptEnd{};
  return result;
}

v1::TaskStatus first_status(const v1::Task& task, base::WallTime now) {
  v1::TaskStatus status = task.status();
  if (core::is_terminal(status.state())) return status;
  if (status.state() >= v1::RUNNING) {
    status.set_attempt(status.attempt() + 1);
    status.set_restarts(status.restarts() + 1);
    status.set_pid(0);
    core::append_change(*status.mutable_changes(), change_of(status, v1::ASSIGNED, "BegunAnew",
                                                             "nothing of it is known on its node any more", now));
  }
  status.set_attempt(std::max(status.attempt(), 1u));
  set_state(status, v1::ASSIGNED, now);
  status.clear_message();
  return status;
}

}  // namespace orchion::node::agent
