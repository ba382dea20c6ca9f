#include "control/services/task_timeline.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/jobs.h"
#include "core/task_changes.h"

namespace orchion::control::services {

namespace {

using TaskPtr = std::shared_ptr<const v1::Task>;
using RecordPtr = std::shared_ptr<const v1::TaskRecord>;

// One of those that are or were in a slot.
void add_life(v1::TaskTimeline& timeline, const std::string& uid, core::TaskChanges changes) {
  for (auto& change : changes) change.set_task_uid(uid);
  *timeline.mutable_changes() = core::merge_changes(timeline.changes(), changes);
}

// Of a task when it was made, of a record when the task was removed.
bool is_older(const v1::Meta& a, const v1::Meta& b) {
  return std::pair(a.created_at().seconds(), a.created_at().nanos()) <
         std::pair(b.created_at().seconds(), b.created_at().nanos());
}

// The newest that is still there, though it was told to go.
TaskPtr newest_of_slot(const store::View& view, const std::string& stack, const std::string& slot) {
  TaskPtr best;
  for (const auto& task : view.tasks().of_stack(stack))
    if (core::short_name(task->spec()) == slot && (!best || is_older(best->meta(), task->meta()))) best = task;
  return best;
}

// The one of that very name, else the newest that was in the slot, or of the service or run.
RecordPtr newest_record(const store::View& view, const std::string& stack, const std::string& name) {
  RecordPtr best;
  for (const auto& record : view.task_records().of_stack(stack)) {
    if (record->task() == name) return record;
    if (record->slot() != name && record->service() != name && record->run() != name) continue;
    if (!best || is_older(best->meta(), record->meta())) best = record;
  }
  return best;
}

v1::TaskTimeline begin(const store::View& view, const v1::Task& task) {
  const bool placed = task.spec().has_assignment();
  v1::TaskTimeline timeline;
  timeline.set_task(task.meta().name());
  timeline.set_task_uid(task.meta().uid());
  timeline.set_slot(core::short_name(task.spec()));
  timeline.set_state(std::max(task.status().state(), placed ? v1::ASSIGNED : v1::PENDING));
  timeline.set_node(task.spec().assignment().node());
  timeline.set_attempt(task.status().attempt());
  timeline.set_message(placed ? task.status().message() : task.spec().placement_message());
  if (const auto made_from = view.template_of(task))
    timeline.set_image(made_from->spec().template_().container().image());
  add_life(timeline, task.meta().uid(), core::all_changes(task));
  return timeline;
}

v1::TaskTimeline begin(const v1::TaskRecord& record) {
  v1::TaskTimeline timeline;
  timeline.set_task(record.task());
  timeline.set_task_uid(record.meta().uid());
  timeline.set_slot(record.slot());
  timeline.set_gone(true);
  timeline.set_node(record.node());
  if (!record.changes().empty()) {
    timeline.set_state(record.changes().rbegin()->state());
    timeline.set_attempt(record.changes().rbegin()->attempt());
  }
  add_life(timeline, record.meta().uid(), record.changes());
  return timeline;
}

void add_previous(const store::View& view, const std::string& stack, v1::TaskTimeline& timeline) {
  const auto own = timeline.task_uid();
  for (const auto& task : view.tasks().of_stack(stack))
    if (task->meta().uid() != own && core::short_name(task->spec()) == timeline.slot())
      add_life(timeline, task->meta().uid(), core::all_changes(*task));
  for (const auto& record : view.task_records().of_stack(stack))
    if (record->meta().uid() != own && record->slot() == timeline.slot())
      add_life(timeline, record->meta().uid(), record->changes());
}

}  // namespace

base::Result<v1::TaskTimeline> timeline_of(const store::View& view, TaskPtr task,
                                           const v1::GetTaskTimelineRequest& request) {
  const auto& stack = request.stack();
  if (!task) task = newest_of_slot(view, stack, request.name());
  const auto record = task ? nullptr : newest_record(view, stack, request.name());
  if (!task && !record)
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no task {0}/{1}, and no record of one is kept: see `orchion ps --all "
                                  "--stack {0}`",
                                  stack, request.name()));
  auto timeline = task ? begin(view, *task) : begin(*record);
  timeline.set_stack(stack);
  if (request.previous()) add_previous(view, stack, timeline);
  return timeline;
}

}  // namespace orchion::control::services
