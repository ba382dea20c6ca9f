#include "control/controllers/garbage_controller.h"

#include <algorithm>

#include "control/controllers/garbage_planner.h"
#include "control/controllers/service_controller.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {

namespace {

constexpr base::Duration kRecordLookMin = std::chrono::minutes(1);
constexpr base::Duration kRecordLookMax = std::chrono::hours(1);

bool fences(const v1::Service* service) {
  return service != nullptr && !core::is_deleted(service->meta()) && service->spec().on_node_loss() == v1::FENCE;
}

bool fences(const v1::Run* run) {
  return run != nullptr && !core::is_deleted(run->meta()) && run->spec().template_().on_node_loss() == v1::FENCE;
}

}  // namespace

GarbageController::GarbageController(const Context& context, base::Random random)
    : Controller(context, random, "garbage controller", 4), records_(context.options.records) {}

Plan GarbageController::plan(const Key& key) {
  if (key.kind == "Task") return plan_task(key.name);
  if (key.kind == "Event") return plan_events();
  if (key.kind == "TaskRecord") return plan_records();
  if (key.kind == "Volume") return volume_plan(key.name);
  const auto revision = view().revisions().find(key.name.stack, key.name.name);
  if (!revision) return {};
  const bool has_service = view().services().find(key.name.stack, revision->spec().service()) != nullptr;
  return plan_revision_garbage(revision, has_service, is_revision_used(*revision));
}

Plan GarbageController::plan_task(const store::ObjectName& name) {
  TaskGarbage facts{view().tasks().find(name.stack, name.name)};
  if (!facts.task) return {};
  const auto& run_name = facts.task->spec().run();
  if (run_name.empty()) {
    const auto service = view().services().find(name.stack, facts.task->spec().service());
    facts.has_owner = service != nullptr;
    facts.fenced = fences(service.get());
  } else {
    const auto run = view().runs().find(name.stack, run_name);
    facts.has_owner = run != nullptr;
    facts.fenced = fences(run.get());
  }
  facts.has_node = !facts.task->spec().has_assignment() ||
                   view().nodes().find_uid(facts.task->spec().assignment().node_uid()) != nullptr;
  return plan_task_garbage(facts, now());
}

Plan GarbageController::plan_events() {
  const std::size_t kept = context_.options.events_kept;
  std::vector<std::shared_ptr<const v1::Event>> oldest;
  for (auto it = events_.begin(); it != events_.end() && oldest.size() + kept < events_.size(); ++it)
    if (auto event = view().events().find(it->second, it->first)) oldest.push_back(std::move(event));
  return plan_event_garbage(oldest, events_.size(), kept);
}

Plan GarbageController::plan_records() {
  Plan plan;
  for (const auto& name : records_.surplus(now().wall))
    if (const auto record = view().task_records().find(name.stack, name.name))
      plan.units.push_back({{Verb::kRemove, *record}});
  // Wall clocks jump: nothing is waited for longer without a look at them.
  if (const auto end = records_.next_end())
    plan.wake(now().time + std::clamp<base::Duration>(*end - now().wall, kRecordLookMin, kRecordLookMax));
  return plan;
}

Plan GarbageController::volume_plan(const store::ObjectName& name) const {
  const auto volume = view().volumes().find(name.stack, name.name);
  const bool has_node = volume && view().nodes().find_uid(volume->status().node_uid()) != nullptr;
  return plan_volume_garbage(volume, is_volume_used(name), has_node);
}

bool GarbageController::is_volume_used(const store::ObjectName& volume) const {
  for (const auto& task : view().tasks().of_stack(volume.stack)) {
    const auto revision = view().template_of(*task);
    if (!revision) continue;
    for (const auto& mount : revision->spec().template_().container().mounts())
      if (mount.type() == v1::Mount::VOLUME && mount.source() == volume.name) return true;
  }
  return false;
}

bool GarbageController::is_revision_used(const v1::Revision& revision) const {
  const auto tasks = view().tasks_of_service(revision.meta().stack(), revision.spec().service());
  return std::any_of(tasks.begin(), tasks.end(),
                     [&](const auto& task) { return task->spec().revision() == revision.meta().name(); });
}

void GarbageController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Task") {
    on_task(change);
  } else if (change.kind == "Event") {
    on_event(change);
  } else if (change.kind == "TaskRecord") {
    on_record(change);
  } else if (change.kind == "Volume" && change.after && core::is_deleted(after<v1::Volume>(change)->meta())) {
    enqueue("Volume", change.name);
  } else if (change.kind == "Service") {
    const auto* is = after<v1::Service>(change);
    if (is == nullptr || fences(before<v1::Service>(change)) != fences(is)) on_service(change.name);
  } else if (change.kind == "Run" && !change.after) {
    for (const auto& task : view().tasks_of_run(change.name.stack, change.name.name))
      enqueue("Task", {change.name.stack, task->meta().name()});
  } else if (change.kind == "Node" && !change.after) {
    on_node_gone(before<v1::Node>(change)->meta().uid());
  }
}

void GarbageController::on_task(const store::ObjectChange& change) {
  if (change.after) {
    if (core::is_deleted(after<v1::Task>(change)->meta())) enqueue("Task", change.name);
    return;
  }
  const auto* task = before<v1::Task>(change);
  const auto& stack = task->meta().stack();
  const auto& service = task->spec().service();
  if (!service.empty() && !view().services().find(stack, service)) on_service({stack, service});
  for (const auto& volume : view().volumes().of_stack(stack))
    if (core::is_deleted(volume->meta())) enqueue("Volume", {stack, volume->meta().name()});
}

void GarbageController::on_event(const store::ObjectChange& change) {
  if (!change.after) {
    events_.erase({change.name.name, change.name.stack});
    return;
  }
  events_.insert({change.name.name, change.name.stack});
  // Some at a time, not one for each that comes.
  if (events_.size() > context_.options.events_kept + events_slack()) enqueue("Event", {});
}

void GarbageController::on_record(const store::ObjectChange& change) {
  if (!change.after) return records_.erase(*before<v1::TaskRecord>(change));
  const bool is_first = !records_.next_end();
  records_.put(*after<v1::TaskRecord>(change));
  if (is_first || records_.is_over()) enqueue("TaskRecord", {});
}

void GarbageController::on_service(const store::ObjectName& service) {
  for (const auto& task : view().tasks_of_service(service.stack, service.name))
    enqueue("Task", {service.stack, task->meta().name()});
  for (const auto& revision : revisions_of(view(), service))
    enqueue("Revision", {service.stack, revision->meta().name()});
}

// Nobody is left there who could confirm anything.
void GarbageController::on_node_gone(const std::string& node_uid) {
  for (const auto& task : view().tasks_of_node(node_uid)) enqueue("Task", {task->meta().stack(), task->meta().name()});
  for (const auto& [name, volume] : view().volumes().all())
    if (volume->status().node_uid() == node_uid && core::is_deleted(volume->meta())) enqueue("Volume", name);
}

void GarbageController::enqueue_all() {
  for (const auto& [name, task] : view().tasks().all()) enqueue("Task", name);
  for (const auto& [name, revision] : view().revisions().all())
    if (!view().services().find(name.stack, revision->spec().service())) enqueue("Revision", name);
  for (const auto& [name, volume] : view().volumes().all())
    if (core::is_deleted(volume->meta())) enqueue("Volume", name);
  for (const auto& [name, event] : view().events().all()) events_.insert({name.name, name.stack});
  enqueue("Event", {});
  for (const auto& [name, record] : view().task_records().all()) records_.put(*record);
  enqueue("TaskRecord", {});
}

}  // namespace orchion::control::controllers
