#include "control/controllers/service_recovery.h"

#include <algorithm>

#include "core/lifecycle.h"
#include "core/recovery.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

constexpr base::Duration kFirstDelay = std::chrono::milliseconds(100);
constexpr base::Duration kLongestDelay = std::chrono::seconds(60);

bool has_lived(const v1::TaskStatus& status) {
  return status.has_started_at() && status.has_finished_at() &&
         core::from_timestamp(status.finished_at()) - core::from_timestamp(status.started_at()) >= kLives;
}

bool is_avoided(const v1::Task& task, const std::string& node_uid) {
  const auto& avoided = task.spec().avoided_nodes();
  return std::find(avoided.begin(), avoided.end(), node_uid) != avoided.end();
}

const std::string& node_of(const v1::Task& task) {
  return task.spec().assignment().node_uid();
}

}  // namespace

base::Duration replacement_delay(const v1::RestartPolicy& policy, unsigned failures) {
  if (policy.has_delay()) return core::from_duration(policy.delay());
  return std::min<base::Duration>(kFirstDelay * (1u << std::min(failures == 0 ? 0 : failures - 1, 10u)), kLongestDelay);
}

unsigned failures_after(const v1::Task& task) {
  return has_lived(task.status()) ? 0 : core::label_count(task.meta(), core::kFailuresLabel) + 1;
}

std::vector<std::string> avoided_after(const v1::Task& task) {
  std::vector<std::string> avoided;
  if (!has_lived(task.status())) avoided.assign(task.spec().avoided_nodes().begin(), task.spec().avoided_nodes().end());
  std::erase(avoided, node_of(task));
  avoided.push_back(node_of(task));
  return avoided;
}

std::vector<std::string> avoided_by_replacement(const v1::ServiceSpec& spec, const v1::Task& task, unsigned failures) {
  const bool elsewhere = spec.recovery().action() == v1::Recovery::MOVE || failures >= kFailuresBeforeMove;
  if (elsewhere && task.status().state() == v1::FAILED) return avoided_after(task);
  return {task.spec().avoided_nodes().begin(), task.spec().avoided_nodes().end()};
}

bool looks_for_another_node(const v1::ServiceSpec& spec, const v1::Task& task) {
  const auto& status = task.status();
  if (spec.recovery().action() == v1::Recovery::NOTHING || !task.spec().has_assignment()) return false;
  if (core::is_terminal(status.state()) || status.state() == v1::RUNNING || status.state() == v1::STOPPING)
    return false;
  return status.failures() >= (status.has_started_at() ? kFailuresBeforeMove : kFailuresUnprepared);
}

bool is_better_elsewhere(const v1::Task& task, const std::string& node_uid) {
  if (node_uid == node_of(task)) return false;
  return !is_avoided(task, node_uid) || task.status().failures() >= kFailuresBeforeReturn;
}

bool moves_away(const v1::Task& task) {
  return is_avoided(task, node_of(task));
}

std::string what_replaces(const v1::ServiceSpec& spec) {
  return core::is_made_anew(spec) ? core::remedy_text(spec.recovery().action()) : "is replaced";
}

}  // namespace orchion::control::controllers
