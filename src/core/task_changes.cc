#include "core/task_changes.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "core/jobs.h"
#include "core/timestamps.h"

namespace orchion::core {

namespace {

// Never within a character.
void shorten(std::string& text) {
  if (text.size() <= kChangeMessageMax) return;
  std::size_t end = kChangeMessageMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  text += "…";
}

bool is_earlier(const v1::TaskChange& a, const v1::TaskChange& b) {
  const auto key = [](const v1::TaskChange& change) {
    return std::tuple(change.time().seconds(), change.time().nanos());
  };
  return key(a) < key(b);
}

}  // namespace

std::string user_actor(std::string_view identity) {
  return identity.empty() ? std::string() : fmt::format("user {}", identity);
}

std::string controller_actor(std::string_view name) {
  return fmt::format("controller {}", name);
}

void append_change(TaskChanges& changes, v1::TaskChange change) {
  shorten(*change.mutable_message());
  if (change.message().empty()) change.clear_message();
  *changes.Add() = std::move(change);
  while (changes.size() > kTaskChangesMax) {
    const auto left_out = changes[kFirstTaskChangesKept].left_out() + 1;
    changes.DeleteSubrange(kFirstTaskChangesKept, 1);
    auto& next = changes[kFirstTaskChangesKept];
    next.set_left_out(next.left_out() + left_out);
  }
}

void note_decision(v1::Task& task, const Decision& decision, base::WallTime now) {
  v1::TaskChange change;
  *change.mutable_time() = to_timestamp(now);
  const auto placed = task.spec().has_assignment() ? v1::ASSIGNED : v1::PENDING;
  change.set_state(std::max(task.status().state(), placed));
  change.set_attempt(task.status().attempt());
  change.set_reason(decision.reason);
  change.set_message(decision.message);
  change.set_actor(decision.actor);
  append_change(*task.mutable_spec()->mutable_changes(), std::move(change));
}

TaskChanges merge_changes(const TaskChanges& a, const TaskChanges& b) {
  TaskChanges all;
  all.Reserve(a.size() + b.size());
  auto next = b.begin();
  for (const auto& change : a) {
    for (; next != b.end() && is_earlier(*next, change); ++next) *all.Add() = *next;
    *all.Add() = change;
  }
  for (; next != b.end(); ++next) *all.Add() = *next;
  return all;
}

TaskChanges all_changes(const v1::Task& task) {
  // What was decided comes first: the agent follows.
  auto all = merge_changes(task.spec().changes(), task.status().changes());
  const auto& node = task.spec().assignment().node();
  const auto agent = "agent " + node;
  for (auto& change : all) {
    if (change.state() != v1::PENDING) change.set_node(node);
    if (change.actor().empty()) change.set_actor(agent);
  }
  return all;
}

v1::TaskRecord make_task_record(const v1::Task& task, const Decision& removal, base::WallTime now) {
  v1::Task ended = task;
  note_decision(ended, removal, now);
  v1::TaskRecord record;
  auto& meta = *record.mutable_meta();
  meta.set_name(task.meta().uid());
  meta.set_stack(task.meta().stack());
  meta.set_uid(task.meta().uid());
  meta.set_generation(1);
  *meta.mutable_created_at() = to_timestamp(now);
  record.set_task(task.meta().name());
  record.set_slot(short_name(task.spec()));
  record.set_service(task.spec().service());
  record.set_run(task.spec().run());
  record.set_node(task.spec().assignment().node());
  *record.mutable_changes() = all_changes(ended);
  return record;
}

}  // namespace orchion::core
