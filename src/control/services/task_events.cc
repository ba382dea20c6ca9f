#include "control/services/task_events.h"

#include <fmt/core.h>

#include "core/jobs.h"
#include "core/recovery.h"

namespace orchion::control::services {

namespace {

std::string times(std::uint32_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

core::EventDraft warning(const v1::Task& task, const char* reason, std::string message) {
  const auto& meta = task.meta();
  return {v1::Event::WARNING, "Task", meta.stack(), meta.name(),
          meta.uid(),         reason, message,      task.spec().assignment().node()};
}

core::EventDraft restarted(const v1::Task& task) {
  const auto& status = task.status();
  return warning(task, "TaskRestarted",
                 fmt::format("{} {}; started again, {} so far{}", core::short_name(task.spec()),
                             status.last_end().empty() ? "ended" : status.last_end(), times(status.restarts()),
                             core::last_words(status)));
}

core::EventDraft unhealthy(const v1::Task& task, const v1::ServiceSpec& service) {
  const auto remedy =
      service.restart().condition() == v1::RestartPolicy::NO ? "" : core::remedy_text(service.recovery().action());
  return warning(
      task, "TaskUnhealthy",
      fmt::format("{} is unhealthy ({}) and {}", core::short_name(task.spec()), task.status().health_message(),
                  remedy.empty() ? "stays as it is, as its service says" : remedy));
}

core::EventDraft failed(const v1::Task& task, const v1::ServiceSpec& service) {
  const bool stays =
      service.restart().condition() == v1::RestartPolicy::NO || service.recovery().action() == v1::Recovery::NOTHING;
  return warning(task, "TaskFailed",
                 fmt::format("{} failed: {}{}{}", core::short_name(task.spec()), task.status().message(),
                             stays ? "; it stays as it is, as its service says" : "", core::last_words(task.status())));
}

bool turned_ill(const v1::TaskStatus& before, const v1::TaskStatus& after) {
  return after.health() == v1::HEALTH_BAD && before.health() != v1::HEALTH_BAD;
}

bool just_failed(const v1::TaskStatus& before, const v1::TaskStatus& after) {
  return after.state() == v1::FAILED && before.state() != v1::FAILED;
}

}  // namespace

bool is_eventful(const v1::TaskStatus& before, const v1::TaskStatus& after) {
  return after.restarts() > before.restarts() || turned_ill(before, after) || just_failed(before, after);
}

std::vector<core::EventDraft> task_events(const v1::Task& before, const v1::Task& after,
                                          const v1::ServiceSpec& service) {
  std::vector<core::EventDraft> events;
  if (!is_eventful(before.status(), after.status())) return events;
  if (after.status().restarts() > before.status().restarts()) events.push_back(restarted(after));
  if (after.spec().service().empty()) return events;
  if (just_failed(before.status(), after.status())) {
    events.push_back(failed(after, service));
  } else if (turned_ill(before.status(), after.status())) {
    events.push_back(unhealthy(after, service));
  }
  return events;
}

}  // namespace orchion::control::services
