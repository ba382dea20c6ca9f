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

std::string last_words(const v1::TaskStatus& status) {
  if (status.last_output().empty()) return {};
  return fmt::format("; it last said \"{}\"", *status.last_output().rbegin());
}

}  // namespace orchion::core
