#include "control/controllers/seen_times.h"

#include <algorithm>
#include <set>

#include <google/protobuf/util/message_differencer.h>

#include "core/lifecycle.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

std::map<std::string, base::Time> SeenTimes::note_ended(const std::vector<TaskPtr>& tasks, base::Time now) {
  std::map<std::string, base::Time> result;
  for (const auto& task : tasks)
    if (!core::is_deleted(task->meta()) && core::is_terminal(task->status().state()))
      result.insert(*ended_.try_emplace(task->meta().uid(), now).first);
  return result;
}

std::map<std::string, base::Time> SeenTimes::note_running(const std::vector<TaskPtr>& tasks, base::Time now) {
  std::map<std::string, base::Time> result;
  for (const auto& task : tasks) {
    const auto& status = task->status();
    if (status.state() != v1::RUNNING || status.attempt() <= 1) continue;
    auto& attempt = running_[task->meta().uid()];
    if (attempt.number != status.attempt()) attempt = {status.attempt(), now};
    result.emplace(task->meta().uid(), attempt.since);
  }
  return result;
}

std::map<std::string, base::Time> SeenTimes::note_ready(const std::vector<TaskPtr>& tasks, base::Time now) {
  std::map<std::string, base::Time> result;
  std::set<std::string> moving;
  for (const auto& task : tasks)
    if (task->spec().has_move()) moving.insert(task->meta().uid());
  for (const auto& task : tasks) {
    if (!moving.contains(task->spec().predecessor())) continue;
    const auto& uid = task->meta().uid();
    if (task->status().state() == v1::RUNNING && core::is_well(task->status()))
      result.insert(*ready_.try_emplace(uid, now).first);
    else
      ready_.erase(uid);
  }
  return result;
}

const std::map<std::string, base::Time>& SeenTimes::note_silent(const store::View& view,
                                                                const std::vector<TaskPtr>& tasks, base::Time now) {
  for (const auto& task : tasks) {
    const auto& uid = task->spec().assignment().node_uid();
    if (uid.empty()) continue;
    const auto node = view.nodes().find_uid(uid);
    if (!node || node->status().state() == v1::NodeStatus::LOST) silent_.try_emplace(uid, now);
  }
  return silent_;
}

void SeenTimes::note_node(const v1::Node* before, const v1::Node* after) {
  if (after == nullptr || after->status().state() != v1::NodeStatus::LOST)
    silent_.erase((after != nullptr ? after : before)->meta().uid());
}

namespace {

bool has_same_taints(const v1::Node& a, const v1::Node& b) {
  return std::ranges::equal(a.spec().taints(), b.spec().taints(), [](const v1::Taint& one, const v1::Taint& other) {
    return google::protobuf::util::MessageDifferencer::Equals(one, other);
  });
}

}  // namespace

bool is_news(const v1::Node* before, const v1::Node* after) {
  return before == nullptr || after == nullptr || before->status().state() != after->status().state() ||
         before->spec().availability() != after->spec().availability() ||
         core::is_deleted(before->meta()) != core::is_deleted(after->meta()) || !has_same_taints(*before, *after);
}

}  // namespace orchion::control::controllers
