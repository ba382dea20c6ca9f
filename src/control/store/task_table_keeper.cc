#include "control/store/table_keeper.h"

namespace orchion::control::store {
namespace {

using TaskPointer = TaskTableKeeper::Pointer;

ObjectName name_of(const v1::Task& task) {
  return {task.meta().stack(), task.meta().name()};
}

// Empty names lead nowhere.
ObjectName service_of(const TaskPointer& task) {
  return task ? ObjectName{task->meta().stack(), task->spec().service()} : ObjectName();
}

ObjectName run_of(const TaskPointer& task) {
  return task ? ObjectName{task->meta().stack(), task->spec().run()} : ObjectName();
}

template <class Groups, class Key>
void leave(Groups& groups, const Key& key, const ObjectName& name) {
  const auto group = groups.find(key);
  if (group == groups.end()) return;
  group->second.erase(name);
  if (group->second.empty()) groups.erase(group);
}

template <class Groups, class Key>
std::vector<TaskPointer> members(const Groups& groups, const Key& key) {
  std::vector<TaskPointer> result;
  const auto group = groups.find(key);
  if (group == groups.end()) return result;
  result.reserve(group->second.size());
  for (const auto& [name, task] : group->second) result.push_back(task);
  return result;
}

}  // namespace

std::vector<TaskPointer> TaskTableKeeper::of_service(const std::string& stack, const std::string& service) const {
  return members(by_service_, ObjectName{stack, service});
}

std::vector<TaskPointer> TaskTableKeeper::of_run(const std::string& stack, const std::string& run) const {
  return members(by_run_, ObjectName{stack, run});
}

std::vector<TaskPointer> TaskTableKeeper::of_node(const std::string& node_uid) const {
  return members(by_node_, node_uid);
}

void TaskTableKeeper::changed(const Pointer& before, const Pointer& after) {
  const auto regroup = [&](auto& groups, const ObjectName& from, const ObjectName& to) {
    if (before && from != to) leave(groups, from, name_of(*before));
    if (!to.name.empty()) groups[to][name_of(*after)] = after;
  };
  regroup(by_service_, service_of(before), service_of(after));
  regroup(by_run_, run_of(before), run_of(after));

  const auto node_of = [](const Pointer& task) { return task ? task->spec().assignment().node_uid() : std::string(); };
  const std::string from = node_of(before);
  const std::string to = node_of(after);
  if (!from.empty() && from != to) leave(by_node_, from, name_of(*before));
  if (!to.empty()) by_node_[to][name_of(*after)] = after;
}

}  // namespace orchion::control::store
