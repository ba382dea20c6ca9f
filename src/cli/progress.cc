#include "cli/progress.h"

#include "cli/last_lines.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "core/defaults.h"
#include "core/naming.h"
#include "core/task_state.h"

namespace orchion::cli {

void StackProgress::put(const v1::Task& task) {
  const auto& uid = task.meta().uid();
  remove_task(uid);
  if (task.spec().desired_state() == v1::DESIRED_RUNNING && !task.meta().has_deleted_at()) {
    tasks_[uid] = task;
  } else if (!core::is_terminal(task.status().state())) {
    leaving_[uid] = task.spec().service();
  }
}

bool StackProgress::is_fine(const v1::Task& task) const {
  const auto state = task.status().state();
  switch (goal_) {
    case Goal::kCompleted: return state == v1::SUCCEEDED;
    case Goal::kHealthy: return state == v1::SUCCEEDED || (state == v1::RUNNING && core::is_well(task.status()));
    default: return state == v1::RUNNING || state == v1::SUCCEEDED;
  }
}

bool StackProgress::has_stopped(const std::string& service) const {
  return std::ranges::none_of(leaving_, [&](const auto& entry) { return entry.second == service; }) &&
         std::ranges::none_of(tasks_, [&](const auto& entry) {
           return entry.second.spec().service() == service && !core::is_terminal(entry.second.status().state());
         });
}

bool StackProgress::concerns(const std::string& service) const {
  return std::ranges::any_of(wanted_.spec().services(), [&](const v1::NamedService& named) {
    if (named.name() == service) return true;
    const auto it = services_.find(named.name());
    const auto& waits_for = it == services_.end() ? named.spec().depends_on() : it->second.spec().depends_on();
    return std::ranges::any_of(waits_for, [&](const v1::Dependency& other) { return other.service() == service; });
  });
}

bool StackProgress::is_service_done(const v1::NamedService& service) const {
  if (goal_ == Goal::kStopped && !services_.contains(service.name())) return has_stopped(service.name());
  const auto it = services_.find(service.name());
  if (it == services_.end()) return false;
  const auto& status = it->second.status();
  if (status.observed_generation() < it->second.meta().generation() || status.updating()) return false;
  if (goal_ == Goal::kStopped) return has_stopped(service.name());
  std::uint32_t fine = 0;
  for (const auto& [uid, task] : tasks_) {
    if (task.spec().service() != service.name() || task.spec().revision() != status.revision()) continue;
    if (is_fine(task)) ++fine;
  }
  return fine >= core::tasks_wanted(it->second.spec());
}

bool StackProgress::is_done() const {
  // A stack whose last service went may be gone itself.
  if (goal_ != Goal::kStopped && observed_generation_ < wanted_.meta().generation()) return false;
  return std::all_of(wanted_.spec().services().begin(), wanted_.spec().services().end(),
                     [&](const auto& service) { return is_service_done(service); });
}

bool StackProgress::waits_for_others(const v1::Service& service) const {
  return std::ranges::any_of(service.spec().depends_on(), [&](const v1::Dependency& dependency) {
    const auto other = services_.find(dependency.service());
    if (other == services_.end() || core::tasks_wanted(other->second.spec()) == 0) return false;
    const bool completion = dependency.condition() == v1::Dependency::COMPLETED_SUCCESSFULLY;
    return std::ranges::none_of(tasks_, [&](const auto& entry) {
      const auto& task = entry.second;
      const auto state = task.status().state();
      return task.spec().service() == dependency.service() &&
             (state == v1::SUCCEEDED || (state == v1::RUNNING && !completion));
    });
  });
}

std::vector<std::string> StackProgress::obstacles() const {
  std::set<std::string> found;
  if (goal_ == Goal::kStopped) return {};
  for (const auto& [uid, task] : tasks_) {
    if (!concerns(task.spec().service())) continue;
    const auto name = core::slot_name(task.spec().service(), task.spec().slot());
    if (!task.spec().placement_message().empty() && task.spec().assignment().node().empty())
      found.insert(fmt::format("{} is not placed: {}", name, task.spec().placement_message()));
    const auto& status = task.status();
    const bool fine = status.state() == v1::RUNNING || status.state() == v1::SUCCEEDED;
    if (fine || status.message().empty()) continue;
    found.insert(fmt::format("{}: {}{}", name, status.message(), last_lines(status)));
  }
  for (const auto& [name, service] : services_) {
    if (concerns(name) && !service.status().message().empty() && found.empty() && !waits_for_others(service))
      found.insert(fmt::format("{}: {}", name, service.status().message()));
  }
  return {found.begin(), found.end()};
}

std::uint32_t StackProgress::running(const std::string& service) const {
  return static_cast<std::uint32_t>(std::count_if(tasks_.begin(), tasks_.end(), [&](const auto& entry) {
    return entry.second.spec().service() == service && entry.second.status().state() == v1::RUNNING;
  }));
}

std::string StackProgress::summary() const {
  std::string out;
  for (const auto& service : wanted_.spec().services())
    out += fmt::format("{}{} {}/{}", out.empty() ? "" : ", ", service.name(), running(service.name()),
                       core::tasks_wanted(service.spec()));
  return out;
}

std::map<std::uint16_t, int> StackProgress::local_ports() const {
  std::map<std::uint16_t, int> result;
  for (const auto& [uid, task] : tasks_) {
    for (const auto& port : task.spec().assignment().ports()) {
      const bool local = port.host_ip().empty() || port.host_ip() == "0.0.0.0" || port.host_ip() == "127.0.0.1";
      if (port.protocol() == "tcp" && port.host_port() != 0 && local)
        ++result[static_cast<std::uint16_t>(port.host_port())];
    }
  }
  return result;
}

std::vector<std::string> StackProgress::urls() const {
  std::set<std::pair<std::string, std::uint32_t>> ports;
  for (const auto& [uid, task] : tasks_) {
    for (const auto& port : task.spec().assignment().ports()) {
      if (port.protocol() == "tcp" && port.host_port() != 0) ports.emplace(port.host_ip(), port.host_port());
    }
  }
  std::vector<std::string> result;
  for (const auto& [ip, port] : ports) {
    const bool anywhere = ip.empty() || ip == "0.0.0.0" || ip == "::" || ip == "127.0.0.1";
    result.push_back(fmt::format("http://{}:{}", anywhere ? "localhost" : ip, port));
  }
  return result;
}

}  // namespace orchion::cli
