#include "core/task_state.h"

namespace orchion::core {

bool is_terminal(v1::TaskState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::STOPPED;
}

bool may_follow(v1::TaskState before, v1::TaskState after) {
  if (is_terminal(before)) return false;
  return is_terminal(after) || after > before;
}

bool may_follow(const v1::TaskStatus& before, const v1::TaskStatus& after) {
  if (after.attempt() < before.attempt()) return false;
  if (after.attempt() == before.attempt() && after.state() == before.state()) return true;
  if (after.attempt() > before.attempt()) return !is_terminal(before.state());
  return may_follow(before.state(), after.state());
}

namespace {

bool is_good_or_unasked(v1::Health health) {
  return health == v1::HEALTH_GOOD || health == v1::NOT_CHECKED;
}

}  // namespace

bool is_ready(const v1::TaskStatus& status) {
  return is_good_or_unasked(status.readiness());
}

bool is_well(const v1::TaskStatus& status) {
  return is_ready(status) && is_good_or_unasked(status.health());
}

bool is_healthy(const v1::TaskStatus& status) {
  return is_well(status) && (status.health() == v1::HEALTH_GOOD || status.readiness() == v1::HEALTH_GOOD);
}

std::string_view state_name(v1::TaskState state) {
  switch (state) {
    case v1::PENDING: return "pending";
    case v1::ASSIGNED: return "assigned";
    case v1::PREPARING: return "preparing";
    case v1::STARTING: return "starting";
    case v1::RUNNING: return "running";
    case v1::STOPPING: return "stopping";
    case v1::SUCCEEDED: return "succeeded";
    case v1::FAILED: return "failed";
    case v1::STOPPED: return "stopped";
    default: return "unknown";
  }
}

}  // namespace orchion::core
