#include "control/notify/subject_state.h"

#include <algorithm>

#include "core/lifecycle.h"

namespace orchion::control::notify {

namespace {

bool is_ill(const v1::Task& task) {
  const auto& status = task.status();
  return status.state() == v1::RUNNING && (status.health() == v1::HEALTH_BAD || status.health() == v1::HEALTH_STARTING);
}

std::optional<bool> is_service_good(const store::View& view, const std::string& stack, const std::string& name) {
  const auto service = view.services().find(stack, name);
  if (!service || core::is_deleted(service->meta())) return std::nullopt;
  const auto& status = service->status();
  if (status.updating() || status.tasks_running() < status.tasks_desired()) return false;
  return !std::ranges::any_of(view.tasks_of_service(stack, name), [](const auto& task) { return is_ill(*task); });
}

}  // namespace

std::optional<bool> is_subject_good(const store::View& view, const std::string& about) {
  const auto kind_end = about.find('/');
  const auto stack_end = kind_end == std::string::npos ? kind_end : about.find('/', kind_end + 1);
  if (stack_end == std::string::npos) return std::nullopt;
  const auto kind = about.substr(0, kind_end);
  const auto name = about.substr(stack_end + 1);
  if (kind == "Service") return is_service_good(view, about.substr(kind_end + 1, stack_end - kind_end - 1), name);
  if (kind == "Node") {
    const auto node = view.nodes().find(name);
    return node ? std::optional(node->status().state() == v1::NodeStatus::READY) : std::nullopt;
  }
  if (kind == "Stack") {
    const auto stack = view.stacks().find(name);
    return stack ? std::optional(stack->status().message().empty()) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace orchion::control::notify
