#include "control/controllers/service_moves.h"

#include <algorithm>

#include <fmt/core.h>

#include "control/controllers/service_recovery.h"
#include "core/defaults.h"
#include "core/gpu_request.h"
#include "core/lifecycle.h"
#include "core/shared_network.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

base::Duration start_period(const v1::ContainerSpec& container) {
  base::Duration longest{};
  for (const auto* check : {&container.health_check(), &container.readiness(), &container.startup()})
    longest = std::max(longest, core::from_duration(check->start_period()));
  return longest;
}

// Why it can't be what it should, by what its agent says; empty: nothing speaks against it yet.
std::string failure_of(const v1::Task& task, NodeCondition condition) {
  const auto& status = task.status();
  if (condition == NodeCondition::kLost) return "that node does not answer";
  if (condition != NodeCondition::kGood) return "that node takes no tasks any more";
  if (is_ended(task)) return fmt::format("it ended there: {}", why_ended(task));
  if (status.health() == v1::HEALTH_BAD) return fmt::format("its check fails there: {}", status.health_message());
  if (status.readiness() == v1::HEALTH_BAD) return fmt::format("it is not ready there: {}", status.readiness_message());
  if (status.has_started_at() && (status.attempt() > 1 || status.failures() > 0))
    return fmt::format("it had to be started again there: {}",
                       status.last_end().empty() ? why_ended(task) : status.last_end());
  if (status.failures() >= kFailuresUnprepared) return fmt::format("it can't be started there: {}", why_ended(task));
  return {};
}

}  // namespace

std::string why_immovable(const v1::ServiceSpec& spec) {
  const auto& container = spec.container();
  if (spec.on_node_loss() != v1::REPLACE) return "two of its tasks must never run in one place of it at once";
  if (std::ranges::any_of(container.mounts(), [](const auto& mount) { return mount.type() != v1::Mount::TMPFS; }))
    return "it has data on its node";
  if (container.devices_size() > 0 || core::wants_gpus(container.gpus())) return "it has devices of its node";
  if (core::shares_network(container)) return "it shares another service's network";
  if (container.network_mode() == v1::HOST_NETWORK) return "it is reached by its node's address";
  if (std::ranges::any_of(container.ports(), [](const auto& port) { return port.host_only(); }))
    return "its port answers on its node alone";
  if (spec.placement().together()) return "its tasks are started together";
  return {};
}

bool may_move(const v1::Task& task) {
  return !core::is_deleted(task.meta()) && task.spec().desired_state() == v1::DESIRED_RUNNING &&
         task.spec().has_assignment() && task.status().state() == v1::RUNNING && core::is_well(task.status()) &&
         !task.spec().has_move();
}

base::Duration left_of(const v1::TaskMove& move, const v1::ContainerSpec& container, Now now) {
  const auto until = core::from_timestamp(move.begun_at()) + kMoveLimit + start_period(container);
  return std::chrono::duration_cast<base::Duration>(until - now.wall);
}

MoveProgress progress_of(const v1::Task& moving, const v1::Task& successor, const v1::ContainerSpec& container,
                         NodeCondition condition, const std::map<std::string, base::Time>& ready_since, Now now) {
  if (auto why = failure_of(successor, condition); !why.empty())
    return {MoveProgress::Stage::kFailed, std::move(why), {}};
  if (const auto ready = ready_since.find(successor.meta().uid()); ready != ready_since.end()) {
    const auto due = ready->second + kMoveMonitor;
    if (due <= now.time) return {MoveProgress::Stage::kReady, {}, {}};
    return {MoveProgress::Stage::kWaits, {}, due};
  }
  const auto left = left_of(moving.spec().move(), container, now);
  if (left <= base::Duration::zero())
    return {MoveProgress::Stage::kFailed,
            fmt::format("it is still {} there after {} minutes", core::state_name(successor.status().state()),
                        std::chrono::duration_cast<std::chrono::minutes>(kMoveLimit + start_period(container)).count()),
            {}};
  return {MoveProgress::Stage::kWaits, {}, now.time + left};
}

}  // namespace orchion::control::controllers
