// The runner's care for what fails: counting, the recovery command, and what was said last.

#include <utility>

#include <fmt/core.h>

#include "core/lifecycle.h"
#include "core/recovery.h"
#include "node/agent/blocking.h"
#include "node/agent/last_output.h"
#include "node/agent/task_runner.h"

namespace orchion::node::agent {

namespace {

constexpr base::Duration kMendingMax = std::chrono::seconds(30);

// How many times in a row the check that made it ill failed; 0 where nobody counted.
std::uint32_t failed_checks(const v1::TaskHealth& health) {
  for (const auto& probe : health.probes())
    if (probe.purpose() != v1::Probe::READINESS && probe.state() == v1::HEALTH_BAD) return probe.failures();
  return 0;
}

}  // namespace

std::uint32_t TaskRunner::restarts() const {
  return status().restarts() + core::label_count(task().meta(), core::kRestartsLabel);
}

// What lasted, or ended as it should, begins anew.
void TaskRunner::count_end(const AttemptEnd& end) {
  const bool fails = is_failure(end) && !stop_signalled_;
  if (end.lasted || !fails) status_now().clear_failures();
  if (fails) count_failure();
}

void TaskRunner::count_failure() {
  status_now().set_failures(status().failures() + 1);
}

std::string TaskRunner::after_failures() const {
  return status().failures() > 1 ? fmt::format(", after {} failures", status().failures()) : "";
}

// How it comes that an attempt was ended for its health.
std::string TaskRunner::how_ill() const {
  const auto count = failed_checks(health());
  const auto times = count == 0 ? "" : count == 1 ? " once" : fmt::format(" {} times", count);
  auto text = fmt::format("failed its health check{}: {}", times, status().health_message());
  if (mending_ == Mending::kDone) text += "; its recovery command did not help";
  if (mending_ == Mending::kInVain) text += fmt::format("; its recovery command failed: {}", mending_said_);
  return text;
}

// Of an attempt that ended badly.
base::Co<> TaskRunner::note_last_output() {
  status_now().clear_last_output();
  if (executor_ == nullptr || !is_failure(*end_) || stop_signalled_) co_return base::Result<>{};
  auto read = [folder = executor_->runtime.log_folder(uid()), attempt = status().attempt(),
               secrets = secret_values(checkpoint_.assignment())] {
    return base::Result<std::vector<std::string>>(last_output(folder, attempt, secrets));
  };
  CO_ASSIGN_OR_RETURN(const auto lines, co_await run_blocking(tools_.workers, std::move(read)));
  for (const auto& line : lines) status_now().add_last_output(line);
  co_return base::Result<>{};
}

// It goes on beside the runner, which may have to stop the task meanwhile.
base::Co<> TaskRunner::begin_mending() {
  mending_ = Mending::kAtWork;
  status_now().set_message(fmt::format("is unhealthy ({}): its recovery command runs", status().health_message()));
  report();
  tools_.group.spawn("mending " + uid(), mend(shared_from_this(), status().attempt()));
  co_return base::Result<>{};
}

base::Co<> TaskRunner::mend(std::shared_ptr<TaskRunner> self, std::uint32_t attempt) {
  v1::HealthCheck command;
  command.mutable_test()->add_values("CMD");
  for (const auto& word : self->checkpoint_.assignment().recovery().command()) command.mutable_test()->add_values(word);
  probes::Target target{.runtime = &self->executor_->runtime, .id = self->uid()};
  CO_ASSIGN_OR_RETURN(const auto outcome,
                      co_await probes::probe(self->tools_.clock, std::move(target), std::move(command), kMendingMax));
  if (!self->running_ || self->status().attempt() != attempt) co_return base::Result<>{};
  if (outcome.verdict == probes::Outcome::Verdict::kGood) {
    self->mending_ = Mending::kDone;
    self->status_now().set_message("its recovery command was run; its health check counts anew");
    self->monitor_->count_anew();
  } else {
    self->mending_ = Mending::kInVain;
    self->mending_said_ = probes::one_line(outcome.output);
  }
  self->report();
  self->changed_.notify();
  co_return base::Result<>{};
}

}  // namespace orchion::node::agent
