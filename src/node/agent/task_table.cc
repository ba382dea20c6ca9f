#include "node/agent/task_table.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/core.h>

#include "base/log.h"
#include "node/agent/container_config.h"

namespace orchion::node::agent {

namespace {

// It becomes the name of files and of kernel objects.
bool is_plain_name(const std::string& uid) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; };
  return !uid.empty() && uid.size() <= 64 && std::all_of(uid.begin(), uid.end(), plain);
}

}  // namespace

void TaskTable::restore(v1::TaskCheckpoint checkpoint, std::optional<runtimes::ContainerInfo> container) {
  auto runner = std::make_shared<TaskRunner>(tools_, std::move(checkpoint), std::move(container));
  if (const auto left = left_alone_.extract(runner->assignment().task().meta().uid())) {
    if (left.mapped().newest) runner->assign(*left.mapped().newest);
    if (left.mapped().unwanted) runner->unassign();
  }
  begin(std::move(runner));
  tell_used_images();
}

void TaskTable::leave_alone(const v1::TaskCheckpoint& checkpoint, const std::string& why) {
  const auto& task = checkpoint.assignment().task();
  left_alone_[task.meta().uid()] = {why, {checkpoint.assignment().container().image()}, std::nullopt, false};
  const auto& digest = checkpoint.status().image_digest();
  if (!digest.empty()) left_alone_[task.meta().uid()].images.push_back(digest);
  tools_.network_table.hold(task);
  tell_used_images();
  base::log::warn("task {} is left alone: {}", task.meta().name(), why);
}

void TaskTable::apply(const v1::Assignments& assignments) {
  std::set<std::string> named;
  for (const auto& assignment : assignments.tasks()) {
    named.insert(assignment.task().meta().uid());
    assign(assignment);
  }
  for (const auto& uid : assignments.removed_tasks()) unassign(uid);
  if (assignments.full()) {
    for (auto& [uid, left] : left_alone_) left.unwanted = left.unwanted || !named.contains(uid);
    for (auto& [uid, runner] : runners_) {
      if (!named.contains(uid)) runner->unassign();
    }
  }
  tell_used_images();
}

void TaskTable::unassign(const std::string& uid) {
  if (const auto left = left_alone_.find(uid); left != left_alone_.end()) left->second.unwanted = true;
  if (const auto found = runners_.find(uid); found != runners_.end()) found->second->unassign();
}

void TaskTable::assign(const v1::TaskAssignment& assignment) {
  const auto& uid = assignment.task().meta().uid();
  if (const auto left = left_alone_.find(uid); left != left_alone_.end()) {
    left->second.newest = assignment;
    report_left_alone(assignment.task(), left->second.why);
    return;
  }
  if (const auto found = runners_.find(uid); found != runners_.end()) {
    found->second->assign(assignment);
  } else if (is_plain_name(uid)) {
    begin(std::make_shared<TaskRunner>(tools_, assignment));
  } else {
    base::log::error("the control plane assigned a task whose uid can't be a file's name: {}", uid);
  }
}

// What the control plane knew last, for nothing newer is known.
void TaskTable::report_left_alone(const v1::Task& task, const std::string& why) {
  v1::TaskReport report;
  report.set_task_uid(task.meta().uid());
  *report.mutable_status() = task.status();
  report.mutable_status()->set_message(why);
  tools_.outbox.put(std::move(report));
}

void TaskTable::may_forget(const std::string& task_uid) {
  if (const auto found = runners_.find(task_uid); found != runners_.end()) found->second->may_forget();
}

base::Co<> TaskTable::wire(std::string task_uid, std::filesystem::path path) {
  const auto found = runners_.find(task_uid);
  if (found == runners_.end())
    co_return base::fail(base::Code::kNotFound, fmt::format("a container of no task was started: {}", task_uid));
  const auto runner = found->second;
  co_return co_await runner->wire(std::move(path));
}

void TaskTable::look_again(const std::string& task_uid) {
  for (auto& [uid, runner] : runners_)
    if (uid == task_uid || runner->assignment().task().spec().assignment().network_of() == task_uid)
      runner->look_again();
}

const TaskRunner* TaskTable::find(const std::string& task_uid) const {
  const auto found = runners_.find(task_uid);
  return found == runners_.end() ? nullptr : found->second.get();
}

bool TaskTable::has_task_in(const std::string& network_uid) const {
  for (const auto& [uid, runner] : runners_) {
    for (const auto& address : runner->assignment().task().spec().assignment().addresses())
      if (address.network_uid() == network_uid) return true;
  }
  return false;
}

void TaskTable::begin(std::shared_ptr<TaskRunner> runner) {
  const auto& meta = runner->assignment().task().meta();
  runners_[meta.uid()] = runner;
  tools_.group.spawn("task " + meta.name(), run(runner));
}

base::Co<> TaskTable::run(std::shared_ptr<TaskRunner> runner) {
  auto ended = co_await runner->run();
  runners_.erase(runner->assignment().task().meta().uid());
  tell_used_images();
  tools_.forgotten();
  co_return ended;
}

void TaskTable::tell_used_images() {
  std::set<std::string> used;
  for (const auto& [uid, left] : left_alone_) used.insert(left.images.begin(), left.images.end());
  for (const auto& [uid, runner] : runners_) {
    if (runner->removed()) continue;
    used.insert(runner->assignment().container().image());
    if (!runner->status().image_digest().empty()) used.insert(runner->status().image_digest());
  }
  tools_.images.set_used({used.begin(), used.end()});
}

}  // namespace orchion::node::agent
