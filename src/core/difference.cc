#include "core/difference.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

#include "core/defaults.h"
#include "core/fingerprint.h"

namespace orchion::core {

namespace {

using Action = v1::Change;

// Two lists of named things, brought together by name; either side may be null.
template <class Named>
std::map<std::string, std::pair<const Named*, const Named*>> paired(
    const google::protobuf::RepeatedPtrField<Named>& before, const google::protobuf::RepeatedPtrField<Named>& after) {
  std::map<std::string, std::pair<const Named*, const Named*>> pairs;
  for (const auto& named : before) pairs[named.name()].first = &named;
  for (const auto& named : after) pairs[named.name()].second = &named;
  return pairs;
}

template <class Named>
v1::Change compare(const char* kind, const std::string& name, const Named* before, const Named* after) {
  v1::Change change;
  change.set_kind(kind);
  change.set_name(name);
  if (before == nullptr) {
    change.set_action(v1::Change::CREATE);
  } else if (after == nullptr) {
    change.set_action(v1::Change::REMOVE);
  } else {
    for (auto& field : field_changes(before->spec(), after->spec())) *change.add_fields() = std::move(field);
    if (change.fields_size() > 0) change.set_action(v1::Change::UPDATE);
  }
  return change;
}

v1::Change compare_services(const std::string& name, const v1::NamedService* before, const v1::NamedService* after) {
  v1::Change change = compare("Service", name, before, after);
  if (before != nullptr) change.set_tasks_before(tasks_wanted(before->spec()));
  if (after != nullptr) change.set_tasks_after(tasks_wanted(after->spec()));
  if (before != nullptr && after != nullptr && fingerprint(before->spec()) != fingerprint(after->spec()))
    change.set_action(v1::Change::REPLACE);
  return change;
}

void warn_of_fixed_network(const v1::Change& change, v1::Plan& plan) {
  const bool fixed = std::any_of(change.fields().begin(), change.fields().end(), [](const v1::FieldChange& field) {
    return field.path() == "subnet" || field.path() == "gateway" || field.path() == "internal" ||
           field.path() == "subnet6";
  });
  if (fixed)
    plan.add_warnings(fmt::format(
        "network {}: its subnets, its gateway and whether it is internal hold until it is removed and made anew",
        change.name()));
}

}  // namespace

v1::Plan difference(const v1::StackSpec& before, const v1::StackSpec& after) {
  v1::Plan plan;
  for (const auto& [name, pair] : paired(before.services(), after.services()))
    *plan.add_changes() = compare_services(name, pair.first, pair.second);
  for (const auto& [name, pair] : paired(before.jobs(), after.jobs()))
    *plan.add_changes() = compare("Job", name, pair.first, pair.second);
  for (const auto& [name, pair] : paired(before.queues(), after.queues()))
    *plan.add_changes() = compare("Queue", name, pair.first, pair.second);
  for (const auto& [name, pair] : paired(before.networks(), after.networks())) {
    *plan.add_changes() = compare("Network", name, pair.first, pair.second);
    warn_of_fixed_network(*plan.changes().rbegin(), plan);
  }
  for (const auto& [name, pair] : paired(before.volumes(), after.volumes())) {
    auto& change = *plan.add_changes();
    change = compare("Volume", name, pair.first, pair.second);
    if (change.action() != v1::Change::REMOVE) continue;
    // Data is never pruned: a line less in a file must not cost it.
    change.set_action(v1::Change::NONE);
    plan.add_warnings(
        fmt::format("volume {} is no longer named and keeps its data; `down --volumes` removes it", name));
  }
  return plan;
}

}  // namespace orchion::core
