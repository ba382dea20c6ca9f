#include "control/controllers/garbage_planner.h"

#include <algorithm>

#include "control/controllers/decisions.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {

Plan plan_task_garbage(const TaskGarbage& facts, Now now) {
  Plan plan;
  if (!facts.task) return plan;
  const v1::Task& task = *facts.task;
  const bool deleted = core::is_deleted(task.meta());
  const bool given_up = !facts.fenced || task.spec().desired_state() == v1::DESIRED_LOST;
  const bool nobody_answers = !task.spec().has_assignment() || (!facts.has_node && given_up);
  if ((deleted || !facts.has_owner) && (nobody_answers || core::is_ready_to_go(task.meta()))) {
    const char* why = !task.spec().has_assignment()       ? "it never had a place"
                      : core::is_ready_to_go(task.meta()) ? "nothing of it is left on its node"
                                                          : "its node is gone";
    plan.units.push_back(remove_task(task, {"Removed", why, core::controller_actor(kGarbage)}, now));
  } else if (!deleted && !facts.has_owner) {
    v1::Task changed = task;
    const char* owner = task.spec().run().empty() ? "its service is gone" : "its run is gone";
    core::note_decision(changed, {"OwnerGone", owner, core::controller_actor(kGarbage)}, now.wall);
    changed.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
    changed.mutable_meta()->set_generation(task.meta().generation() + 1);
    core::mark_deleted(*changed.mutable_meta(), now.wall);
    plan.units.push_back({{Verb::kPutSpec, std::move(changed)}});
  }
  return plan;
}

Plan plan_revision_garbage(const std::shared_ptr<const v1::Revision>& revision, bool has_service, bool in_use) {
  Plan plan;
  if (revision && !has_service && !in_use) plan.units.push_back({{Verb::kRemove, *revision}});
  return plan;
}

Plan plan_volume_garbage(const std::shared_ptr<const v1::Volume>& volume, bool in_use, bool has_node) {
  Plan plan;
  if (!volume || in_use || !core::is_deleted(volume->meta())) return plan;
  v1::Volume changed = *volume;
  auto& meta = *changed.mutable_meta();
  const bool was_waited_for = core::has_finalizer(meta, core::kVolumeFinalizer);
  core::remove_finalizer(meta, core::kVolumeFinalizer);
  // Its data is on a node: the agent there removes it and takes this finalizer away.
  if (was_waited_for && has_node) core::add_finalizer(meta, core::kAgentFinalizer);
  if (!has_node) core::remove_finalizer(meta, core::kAgentFinalizer);
  if (core::is_ready_to_go(meta)) {
    plan.units.push_back({{Verb::kRemove, std::move(changed)}});
  } else if (was_waited_for) {
    plan.units.push_back({{Verb::kPutSpec, std::move(changed)}});
  }
  return plan;
}

Plan plan_event_garbage(const std::vector<std::shared_ptr<const v1::Event>>& oldest, std::size_t count,
                        std::size_t kept) {
  Plan plan;
  const std::size_t surplus = count > kept ? count - kept : 0;
  for (std::size_t i = 0; i < std::min(surplus, oldest.size()); ++i)
    plan.units.push_back({{Verb::kRemove, *oldest[i]}});
  return plan;
}

}  // namespace orchion::control::controllers
