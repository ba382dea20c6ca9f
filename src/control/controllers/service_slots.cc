#include "control/controllers/service_slots.h"

#include <algorithm>
#include <tuple>

#include <fmt/core.h>

#include "control/controllers/attachments.h"
#include "control/controllers/decisions.h"
#include "core/defaults.h"
#include "core/lifecycle.h"
#include "core/taints.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

base::WallTime made_at(const v1::Task& task) {
  return core::from_timestamp(task.meta().created_at());
}

// The one to keep of two in a slot: what runs before what doesn't, then the newer.
bool is_better(const v1::Task& a, const v1::Task& b) {
  const auto rank = [](const v1::Task& task) {
    return std::tuple(!is_ended(task), task.status().state() == v1::RUNNING, made_at(task), task.meta().name());
  };
  return rank(a) > rank(b);
}

// Once the one that moves has ended by itself, what comes after it is what is in the slot.
bool is_successor(const v1::Task& task, const v1::Task& moving) {
  return moving.spec().move().has_begun_at() && !is_ended(moving) && task.spec().predecessor() == moving.meta().uid();
}

void find_successor(Slot& slot) {
  for (auto& extra : slot.extras) {
    if (is_successor(*slot.current, *extra)) std::swap(slot.current, extra);
    if (!is_successor(*extra, *slot.current)) continue;
    slot.successor = extra;
    slot.extras.erase(slot.extras.begin() + (&extra - slot.extras.data()));
    return;
  }
}

bool is_leaving(const v1::Task& task) {
  return task.spec().has_assignment() && !is_ended(task) && task.spec().desired_state() != v1::DESIRED_LOST;
}

bool is_unchecked(const v1::TaskStatus& status) {
  return status.health() == v1::NOT_CHECKED && status.readiness() == v1::NOT_CHECKED;
}

bool holds(const DependencyFacts& facts) {
  std::uint32_t started = 0, succeeded = 0, healthy = 0;
  for (const auto& task : facts.tasks) {
    if (core::is_deleted(task->meta())) continue;
    const auto state = task->status().state();
    started += state == v1::RUNNING || state == v1::SUCCEEDED ? 1 : 0;
    succeeded += state == v1::SUCCEEDED ? 1 : 0;
    healthy += state == v1::RUNNING && core::is_healthy(task->status()) ? 1 : 0;
  }
  if (facts.dependency.condition() == v1::Dependency::HEALTHY) return healthy > 0;
  if (facts.dependency.condition() == v1::Dependency::COMPLETED_SUCCESSFULLY)
    return succeeded > 0 && succeeded >= core::tasks_wanted(facts.service->spec());
  return started > 0;
}

// What isn't there, and won't be soon, holds nobody up who can do without it.
bool is_given_up(const DependencyFacts& facts) {
  if (!facts.dependency.optional()) return false;
  return !facts.service || core::tasks_wanted(facts.service->spec()) == 0 ||
         std::any_of(facts.tasks.begin(), facts.tasks.end(), [](const TaskPtr& task) {
           return !core::is_deleted(task->meta()) && task->status().state() == v1::FAILED;
         });
}

std::string_view awaited(v1::Dependency::Condition condition) {
  switch (condition) {
    case v1::Dependency::COMPLETED_SUCCESSFULLY: return "complete";
    case v1::Dependency::HEALTHY: return "be healthy";
    default: return "start";
  }
}

}  // namespace

std::map<std::uint32_t, Slot> slots_of(const std::vector<TaskPtr>& tasks) {
  std::map<std::uint32_t, Slot> slots;
  for (const auto& task : tasks) {
    Slot& slot = slots[task->spec().slot()];
    if (core::is_deleted(task->meta())) {
      if (is_leaving(*task)) slot.leaving.push_back(task);
      if (!slot.former || made_at(*slot.former) < made_at(*task)) slot.former = task;
    } else if (!slot.current) {
      slot.current = task;
    } else {
      const bool better = is_better(*task, *slot.current);
      slot.extras.push_back(better ? slot.current : task);
      if (better) slot.current = task;
    }
  }
  for (auto& [number, slot] : slots) find_successor(slot);
  return slots;
}

NodeCondition NodeTable::condition_of(const v1::Task& task) const {
  if (!task.spec().has_assignment()) return NodeCondition::kNone;
  const auto* found = nodes_.find(task.spec().assignment().node_uid());
  if (found == nullptr) return NodeCondition::kGone;
  const v1::Node& node = *found;
  if (node.status().state() == v1::NodeStatus::LOST) return NodeCondition::kLost;
  if (node.spec().availability() == v1::NodeSpec::DRAINED || core::is_deleted(node.meta()))
    return NodeCondition::kDrained;
  return taint_against(task) != nullptr ? NodeCondition::kDrained : NodeCondition::kGood;
}

const v1::Taint* NodeTable::taint_against(const v1::Task& task) const {
  const auto* found = nodes_.find(task.spec().assignment().node_uid());
  return found == nullptr ? nullptr : core::drives_away(found->spec().taints(), rules_.tolerations());
}

std::string NodeTable::why_left(const v1::Task& task) const {
  const auto* taint = taint_against(task);
  return taint == nullptr ? "is drained" : "has the taint " + core::taint_text(*taint);
}

core::Decision NodeTable::drained(const v1::Task& task, std::string_view controller) const {
  const auto* found = nodes_.find(task.spec().assignment().node_uid());
  const auto actor = found == nullptr ? core::controller_actor(controller) : asked_by(found->meta(), controller);
  return {taint_against(task) == nullptr ? "NodeDrained" : "NodeTainted",
          fmt::format("node {} {}", task.spec().assignment().node(), why_left(task)), actor};
}

bool is_ended(const v1::Task& task) {
  return core::is_terminal(task.status().state());
}

base::Time fenced_by(const v1::Task& task, const v1::ContainerSpec& container,
                     const std::map<std::string, base::Time>& silent_since, base::Duration lease, Now now) {
  const auto found = silent_since.find(task.spec().assignment().node_uid());
  const auto since = found == silent_since.end() ? now.time : found->second;
  return since + lease + core::stop_grace_period(container) + kFenceMargin;
}

std::string why_ended(const v1::Task& task) {
  const auto& status = task.status();
  if (!status.message().empty()) return status.message();
  if (status.oom_killed()) return "it ran out of memory";
  if (status.has_exit_code()) return fmt::format("exit code {}", status.exit_code());
  return fmt::format("it {}", core::state_name(status.state()));
}

std::string missing_dependency(const std::vector<DependencyFacts>& dependencies) {
  for (const auto& facts : dependencies) {
    const auto& name = facts.dependency.service();
    if (is_given_up(facts)) continue;
    if (!facts.service) return fmt::format("waits for service {}, which does not exist", name);
    if (holds(facts)) continue;
    if (facts.service->spec().stopped()) return fmt::format("waits for service {}, which is stopped", name);
    if (facts.service->spec().replicas() == 0) return fmt::format("waits for service {}, which is scaled to 0", name);
    std::string text = fmt::format("waits for service {} to {}", name, awaited(facts.dependency.condition()));
    for (const auto& task : facts.tasks)
      if (!core::is_deleted(task->meta()) && task->status().health() == v1::HEALTH_BAD)
        return fmt::format("{}; {} is unhealthy: {}", text, short_name(*task), task->status().health_message());
    for (const auto& task : facts.tasks)
      if (!core::is_deleted(task->meta()) && task->status().readiness() == v1::HEALTH_BAD)
        return fmt::format("{}; {} isn't ready: {}", text, short_name(*task), task->status().readiness_message());
    const bool by_health = facts.dependency.condition() == v1::Dependency::HEALTHY;
    for (const auto& task : facts.tasks)
      if (by_health && task->status().state() == v1::RUNNING && is_unchecked(task->status()))
        return fmt::format("{}, but nothing says how to check it: give it a `healthcheck`", text);
    for (const auto& task : facts.tasks)
      if (!core::is_deleted(task->meta()) && task->status().state() == v1::FAILED)
        return fmt::format("{}; {} failed: {}", text, short_name(*task), why_ended(*task));
    return text;
  }
  return {};
}

std::string missing_network(const ClusterSnapshot& cluster, const v1::Service& service) {
  for (const auto& attachment : service.spec().container().networks()) {
    const auto& stack = service.meta().stack();
    const auto network = find_network(cluster, stack, attachment);
    if (const auto obstacle = network_obstacle(network.get(), stack, attachment); !obstacle.empty())
      return fmt::format("waits for network {}, which {}", attachment.network(), obstacle);
  }
  return {};
}

}  // namespace orchion::control::controllers
