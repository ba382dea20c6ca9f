// The runner's checks: what is asked of the task while it runs, and what comes of the answers.

#include <utility>

#include "core/health_check.h"
#include "core/recovery.h"
#include "core/task_state.h"
#include "core/timestamps.h"
#include "node/agent/blocking.h"
#include "node/agent/task_runner.h"
#include "node/files/process.h"
#include "node/networks/namespaces.h"

namespace orchion::node::agent {

namespace {

// Makes sockets in the network of one attempt's process. It is looked up once, and its runtime is asked then: a pid
// that became another process's meanwhile is never taken for it.
class SocketMaker {
 public:
  SocketMaker(runtimes::Runtime& runtime, base::WorkerPool* workers, std::string uid, std::int64_t pid)
      : runtime_(runtime), workers_(workers), uid_(std::move(uid)), pid_(pid) {}

  static base::Co<base::UniqueFd> make(std::shared_ptr<SocketMaker> self, int family) {
    if (!self->process_) CO_RETURN_IF_ERROR(co_await self->find());
    auto job = [process = self->process_, family] {
      return networks::make_socket_in(process->handle, family, SOCK_STREAM);
    };
    co_return co_await run_blocking(self->workers_, std::move(job));
  }

 private:
  base::Co<> find() {
    CO_ASSIGN_OR_RETURN(auto process, files::open_process(pid_));
    CO_ASSIGN_OR_RETURN(const auto container, co_await runtime_.inspect(uid_));
    if (!container || container->phase != runtimes::ContainerPhase::kRunning || container->pid != process.pid)
      co_return base::fail(base::Code::kFailedPrecondition, "the task has just ended: see `orchion ps`");
    process_ = std::make_shared<const files::Process>(std::move(process));
    co_return base::Result<>{};
  }

  runtimes::Runtime& runtime_;
  base::WorkerPool* workers_;
  const std::string uid_;
  const std::int64_t pid_;
  std::shared_ptr<const files::Process> process_;
};

// Its own loopback, where most things listen too; then where others find it.
std::vector<std::string> addresses_of(const v1::Task& task) {
  std::vector<std::string> result{"127.0.0.1"};
  for (const auto& each : task.spec().assignment().addresses()) result.push_back(each.address());
  result.emplace_back("::1");
  return result;
}

std::optional<v1::HealthCheck> if_check(const v1::HealthCheck& check) {
  return core::is_check(check) ? std::optional(check) : std::nullopt;
}

}  // namespace

// What the service says, else its image, else what is known about such images.
void TaskRunner::choose_check() {
  checkpoint_.clear_health_check();
  const auto& container = checkpoint_.assignment().container();
  auto check = core::effective_check(container, image_->config.health_check);
  const bool is_silent = !container.health_check().disabled() && !container.has_readiness() && !container.has_startup();
  if (!check && is_silent && tools_.known_images) check = tools_.known_images->find(container);
  if (check) *checkpoint_.mutable_health_check() = *std::move(check);
}

void TaskRunner::begin_checks(bool adopted) {
  monitor_.reset();
  const auto& container = checkpoint_.assignment().container();
  const probes::CheckSet checks{.liveness = if_check(checkpoint_.health_check()),
                                .readiness = if_check(container.readiness()),
                                .startup = if_check(container.startup())};
  if (checks.empty()) return;
  probes::Target target{.runtime = &executor_->runtime, .id = uid(), .addresses = addresses_of(task())};
  auto maker = std::make_shared<SocketMaker>(executor_->runtime, tools_.workers, uid(), status().pid());
  target.make_socket = [maker = std::move(maker)](int family) { return SocketMaker::make(maker, family); };
  const auto weak = weak_from_this();
  probes::Monitor::Parts parts{
      .clock = tools_.clock,
      .random = tools_.random,
      .ask = [clock = &tools_.clock, target = std::move(target)](
                 const v1::HealthCheck& check,
                 base::Duration timeout) { return probes::probe(*clock, target, check, timeout); },
      .changed =
          [weak] {
            if (const auto self = weak.lock()) self->take_findings();
          },
      .remedy = restarts_after(checkpoint_.assignment().restart(), restarts(), {.unhealthy = true})
                    ? core::remedy_text(recovery())
                    : ""};
  probes::Findings known;
  if (adopted)
    known = {.health = status().health(),
             .readiness = status().readiness(),
             .health_message = status().health_message(),
             .readiness_message = status().readiness_message(),
             .started_up = checkpoint_.started_up()};
  monitor_ = std::make_shared<probes::Monitor>(std::move(parts), checks, core::from_timestamp(status().started_at()),
                                               known, adopted);
  if (adopted) tools_.network_table.set_ready(uid(), core::is_ready(status()));
  if (!adopted) take_findings();
  tools_.group.spawn("checking " + uid(), monitor_->run());
}

// What they found can still be looked at, until the next attempt.
void TaskRunner::end_checks() {
  if (monitor_) monitor_->stop();
}

// Told apart from what was known before; a check that only begins says nothing.
void TaskRunner::note_findings(const probes::Findings& found) {
  if (status().state() != v1::RUNNING) return;
  if (found.health != status().health()) {
    if (found.health == v1::HEALTH_GOOD) note(v1::RUNNING, "Healthy");
    if (found.health == v1::HEALTH_BAD) note(v1::RUNNING, "Unhealthy", found.health_message);
  }
  if (found.readiness != status().readiness()) {
    if (found.readiness == v1::HEALTH_GOOD) note(v1::RUNNING, "Ready");
    if (found.readiness == v1::HEALTH_BAD) note(v1::RUNNING, "NotReady", found.readiness_message);
  }
}

// An agent that starts again goes on from here.
void TaskRunner::take_findings() {
  const auto found = monitor_->findings();
  auto& status = status_now();
  note_findings(found);
  status.set_health(found.health);
  status.set_health_message(found.health_message);
  status.set_readiness(found.readiness);
  status.set_readiness_message(found.readiness_message);
  checkpoint_.set_started_up(found.started_up);
  if (found.health == v1::HEALTH_GOOD && mending_ == Mending::kDone) {
    mending_ = Mending::kNotTried;
    status.clear_message();
  }
  tools_.network_table.set_ready(uid(), core::is_ready(status));
  if (status.state() != v1::RUNNING) return;
  wish_unsaved_ = true;
  report();
  changed_.notify();
}

v1::TaskHealth TaskRunner::health() const {
  return monitor_ ? monitor_->describe() : v1::TaskHealth();
}

}  // namespace orchion::node::agent
