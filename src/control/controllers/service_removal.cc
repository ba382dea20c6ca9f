// A service's last step: everything of it goes.

#include <fmt/core.h>

#include "control/controllers/decisions.h"
#include "control/controllers/service_slots.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {

namespace {

// Names the task that holds it up, where one does.
std::string removal_message(const ServiceSnapshot& snapshot) {
  const NodeTable nodes(snapshot.cluster.nodes, snapshot.service->spec().placement());
  for (const auto& task : snapshot.tasks)
    if (nodes.condition_of(*task) == NodeCondition::kLost)
      return fmt::format(
          "waits for node {0}, which does not answer, to stop {1}; `orchion node rm --force {0}` gives it up",
          task->spec().assignment().node(), short_name(*task));
  return fmt::format("waits until {} {} gone", snapshot.tasks.size(),
                     snapshot.tasks.size() == 1 ? "task is" : "tasks are");
}

}  // namespace

Plan plan_service_removal(const ServiceSnapshot& snapshot, Now now, base::Random& random) {
  Plan plan;
  const v1::Service& service = *snapshot.service;
  for (const auto& task : snapshot.tasks)
    if (!core::is_deleted(task->meta()))
      plan.units.push_back(stop_task(*task, v1::DESIRED_STOPPED, ServiceDecisions(snapshot).removed(), now));
  if (snapshot.tasks.empty()) {
    for (const auto& revision : snapshot.revisions) plan.units.push_back({{Verb::kRemove, *revision}});
    plan.units.push_back(
        {{Verb::kRemove, service},
         write_event({v1::Event::INFO, "Service", service.meta().stack(), service.meta().name(), service.meta().uid(),
                      "ServiceRemoved", fmt::format("{} and its tasks are gone", service.meta().name()), ""},
                     now, random)});
    return plan;
  }
  v1::Service changed = service;
  auto& status = *changed.mutable_status();
  status.set_observed_generation(service.meta().generation());
  status.set_tasks_running(0);
  status.set_tasks_desired(0);
  status.set_updating(false);
  status.set_message(removal_message(snapshot));
  if (!is_same(status, service.status())) plan.units.push_back({{Verb::kPutStatus, std::move(changed)}});
  return plan;
}

Unit stop_task(const v1::Task& task, v1::DesiredState desired, core::Decision why, Now now) {
  v1::Task changed = task;
  core::note_decision(changed, why, now.wall);
  if (!task.spec().has_assignment())
    return remove_task(changed, {"Removed", "it never had a place", std::move(why.actor)}, now);
  changed.mutable_spec()->set_desired_state(desired);
  changed.mutable_meta()->set_generation(task.meta().generation() + 1);
  core::mark_deleted(*changed.mutable_meta(), now.wall);
  return {{Verb::kPutSpec, std::move(changed)}};
}

}  // namespace orchion::control::controllers
