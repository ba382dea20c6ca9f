#include "control/controllers/record_retention.h"

#include <fmt/core.h>

#include "core/timestamps.h"

namespace orchion::control::controllers {

RecordRetention::Age RecordRetention::age_of(const v1::TaskRecord& record) {
  return {core::from_timestamp(record.meta().created_at()), {record.meta().stack(), record.meta().name()}};
}

std::string RecordRetention::owner_of(const v1::TaskRecord& record) {
  if (record.run().empty()) return fmt::format("service {}/{}", record.meta().stack(), record.slot());
  return fmt::format("job {}/{}", record.meta().stack(), record.run().substr(0, record.run().rfind('.')));
}

void RecordRetention::put(const v1::TaskRecord& record) {
  const auto age = age_of(record);
  const auto owner = owner_of(record);
  all_.insert(age);
  auto& mine = by_owner_[owner];
  mine.insert(age);
  if (mine.size() > limits_.kept_of_one + slack(limits_.kept_of_one)) full_.insert(owner);
}

void RecordRetention::erase(const v1::TaskRecord& record) {
  const auto age = age_of(record);
  const auto owner = owner_of(record);
  all_.erase(age);
  const auto mine = by_owner_.find(owner);
  if (mine == by_owner_.end()) return;
  mine->second.erase(age);
  if (mine->second.size() <= limits_.kept_of_one) full_.erase(owner);
  if (mine->second.empty()) by_owner_.erase(mine);
}

bool RecordRetention::is_over() const {
  return !full_.empty() || all_.size() > limits_.kept + slack(limits_.kept);
}

std::vector<store::ObjectName> RecordRetention::surplus(base::WallTime now) const {
  std::set<Age> going;
  for (const auto& owner : full_) {
    const auto& mine = by_owner_.at(owner);
    auto next = mine.begin();
    for (auto left = mine.size(); left > limits_.kept_of_one; --left) going.insert(*next++);
  }
  std::size_t left = all_.size();
  for (const auto& age : all_) {
    if (left <= limits_.kept && now - age.removed_at < limits_.age) break;
    going.insert(age);
    --left;
  }
  std::vector<store::ObjectName> names;
  for (const auto& age : going) names.push_back(age.name);
  return names;
}

std::optional<base::WallTime> RecordRetention::next_end() const {
  if (all_.empty()) return std::nullopt;
  return all_.begin()->removed_at + limits_.age;
}

}  // namespace orchion::control::controllers
