#include "control/services/policy_feed.h"

#include <algorithm>

namespace orchion::control::services {

v1::PolicyAssignments policies_of(const store::View& view) {
  v1::PolicyAssignments out;
  for (const auto& [name, policy] : view.network_policies().all()) {
    auto& told = *out.add_policies();
    told.set_stack(name.stack);
    told.set_name(name.name);
    *told.mutable_spec() = policy->spec();
  }
  return out;
}

void PolicyFeed::tell_all(const store::View& view, v1::Assignments& out) {
  *out.mutable_policies() = policies_of(view);
  untold_ = false;
}

void PolicyFeed::tell_changes(const store::View& view, const store::ObjectStore::Commit& commit, bool has_tasks,
                              v1::Assignments& out) {
  untold_ =
      untold_ || std::ranges::any_of(commit.changes, [](const auto& change) { return change.kind == "NetworkPolicy"; });
  if (untold_ && has_tasks) tell_all(view, out);
}

}  // namespace orchion::control::services
