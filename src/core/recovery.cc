#include "core/recovery.h"

#include <fmt/core.h>

#include "core/lifecycle.h"

namespace orchion::core {

std::string remedy_text(v1::Recovery::Action action) {
  switch (action) {
    case v1::Recovery::RECREATE: return "is made anew";
    case v1::Recovery::MOVE: return "is moved";
    case v1::Recovery::RUN_COMMAND: return "has its recovery command run";
    case v1::Recovery::NOTHING: return {};
    default: return "is restarted";
  }
}

unsigned restarts_of(const v1::Task& task) {
  return task.status().restarts() + label_count(task.meta(), kRestartsLabel);
}

bool is_made_anew(const v1::ServiceSpec& spec) {
  return spec.recovery().action() == v1::Recovery::RECREATE || spec.recovery().action() == v1::Recovery::MOVE;
}

bool wants_replacement(const v1::ServiceSpec& spec, const v1::Task& task) {
  const auto& restart = spec.restart();
  if (restart.condition() == v1::RestartPolicy::NO) return false;
  if (task.status().state() == v1::SUCCEEDED)
    return restart.condition() == v1::RestartPolicy::ALWAYS || restart.condition() == v1::RestartPolicy::UNLESS_STOPPED;
  if (task.status().state() == v1::FAILED && spec.recovery().action() == v1::Recovery::NOTHING) return false;
  if (restart.max_attempts() == 0) return true;
  return (is_made_anew(spec) ? restarts_of(task) : task.status().attempt()) < restart.max_attempts();
}

std::string last_words(const v1::TaskStatus& status) {
  if (status.last_output().empty()) return {};
  return fmt::format("; it last said \"{}\"", *status.last_output().rbegin());
}

}  // namespace orchion::core
