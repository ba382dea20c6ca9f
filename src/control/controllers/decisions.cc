#include "control/controllers/decisions.h"

#include <algorithm>

#include <fmt/core.h>

#include "control/controllers/service_slots.h"
#include "core/defaults.h"

namespace orchion::control::controllers {

namespace {

// The last that wasn't its agent's, nor the mere removal of what had ended.
const v1::TaskChange* last_decision(const core::TaskChanges& changes) {
  for (auto change = changes.rbegin(); change != changes.rend(); ++change)
    if (!change->actor().starts_with("agent ") && change->reason() != "Removed") return &*change;
  return nullptr;
}

// The slot was empty because somebody wanted that: what comes into it comes because it is wanted again.
bool is_wish(const v1::TaskChange& change) {
  return change.reason() == "ScaledDown" || change.reason() == "ServiceStopped" || change.reason() == "ServiceRemoved";
}

core::Decision created_after(const std::string& former, const std::string& why, const std::string& actor) {
  return {"Created", fmt::format("in place of {} ({})", former, why), actor};
}

}  // namespace

std::string asked_by(const v1::Meta& meta, std::string_view controller) {
  return meta.changed_by().empty() ? core::controller_actor(controller) : meta.changed_by();
}

core::Decision lost_with_node(const v1::Task& task, std::string_view controller) {
  return {"DeclaredLost", fmt::format("node {} does not answer, or was removed", task.spec().assignment().node()),
          core::controller_actor(controller)};
}

core::Decision ServiceDecisions::removed() const {
  return {"ServiceRemoved", fmt::format("service {} is removed", service_.meta().name()), user()};
}

core::Decision ServiceDecisions::too_many() const {
  const auto& name = service_.meta().name();
  if (service_.spec().stopped()) return {"ServiceStopped", fmt::format("service {} is stopped", name), user()};
  return {"ScaledDown", fmt::format("service {} is scaled to {}", name, core::tasks_wanted(service_.spec())), user()};
}

core::Decision ServiceDecisions::without_network(const std::string& owner) const {
  return {"NetworkGone", fmt::format("{}, whose network it shares, goes", owner), core::controller_actor(kServices)};
}

core::Decision ServiceDecisions::surplus() const {
  return {"Surplus", "another task is in its slot", core::controller_actor(kServices)};
}

core::Decision ServiceDecisions::outdated(const v1::Task& task) const {
  const auto& name = service_.meta().name();
  const auto former = std::ranges::find_if(snapshot_.revisions, [&](const RevisionPtr& revision) {
    return revision->meta().name() == task.spec().revision();
  });
  const bool restarts =
      former != snapshot_.revisions.end() && (*former)->spec().template_().restarts() != service_.spec().restarts();
  if (restarts) return {"Restarted", fmt::format("service {} is restarted", name), user()};
  return {"Updated", fmt::format("service {} is changed", name), user()};
}

core::Decision ServiceDecisions::ended(const v1::Task& task) const {
  return {"Replaced", fmt::format("it ended: {}", why_ended(task)), core::controller_actor(kServices)};
}

core::Decision ServiceDecisions::moved(const v1::Task& task) const {
  return {"Moved",
          fmt::format("it failed {} times in a row on {}: {}", task.status().failures(),
                      task.spec().assignment().node(), why_ended(task)),
          core::controller_actor(kServices)};
}

core::Decision ServiceDecisions::rebalanced(const v1::Task& task) {
  const auto& move = task.spec().move();
  return {"Rebalanced", fmt::format("it moves to node {}, since {}", move.node(), move.reason()), move.actor()};
}

ServiceDecisions::Beginning ServiceDecisions::after(const v1::Task& former, const core::Decision& why) {
  return {created_after(former.meta().name(), why.message, why.actor), former.meta().uid()};
}

ServiceDecisions::Beginning ServiceDecisions::in_empty_slot(std::uint32_t slot, const TaskPtr& former) const {
  const auto gone = snapshot_.gone.find(slot);
  const auto* record = former || gone == snapshot_.gone.end() ? nullptr : gone->second.get();
  const auto* last = former   ? last_decision(former->spec().changes())
                     : record ? last_decision(record->changes())
                              : nullptr;
  const std::string predecessor = former ? former->meta().uid() : "";
  if (last == nullptr || is_wish(*last)) {
    const auto wanted = core::tasks_wanted(service_.spec());
    const auto text =
        fmt::format("service {} has {} {}", service_.meta().name(), wanted, wanted == 1 ? "task" : "tasks");
    return {{"Created", text, user()}, predecessor};
  }
  return {created_after(former ? former->meta().name() : record->task(), last->message(), last->actor()),
          former ? predecessor : record->meta().uid()};
}

}  // namespace orchion::control::controllers
