#pragma once

// The life of a task as it is told: what was decided about it and what its agent saw, bounded, and both as one.

#include <string>
#include <string_view>

#include <google/protobuf/repeated_field.h>

#include "base/clock.h"
#include "v1/objects.pb.h"

namespace orchion::core {

using TaskChanges = google::protobuf::RepeatedPtrField<v1::TaskChange>;

// In a task's spec, and in its status: how it began, and what was last. What is left out between is counted.
inline constexpr int kTaskChangesMax = 32;
inline constexpr int kFirstTaskChangesKept = 4;

// Bytes of a change's message; longer ones are cut.
inline constexpr std::size_t kChangeMessageMax = 240;

// "user admin"; empty where nobody was asked who he is.
std::string user_actor(std::string_view identity);
// "controller services".
std::string controller_actor(std::string_view name);

// Adds what happened last. Of more than kTaskChangesMax the oldest after the first few goes, and the one after the gap
// says how many went.
void append_change(TaskChanges& changes, v1::TaskChange change);

// Why something is done to a task, and by whom.
struct Decision {
  std::string reason;   // one CamelCase word
  std::string message;  // for people
  std::string actor;
};

// Adds a decision to the task's spec. The state is what the agent said last, or what an assignment makes of it.
void note_decision(v1::Task& task, const Decision& decision, base::WallTime now);

// All of a task's changes, in the order of time. What its spec says and what its status says keep their order among
// themselves where the clocks of two machines don't agree. Each names its node; those of the agent their actor.
TaskChanges all_changes(const v1::Task& task);

// Two lives as one, in the order of time; each keeps its own order. Of equal times those of `a` come first.
TaskChanges merge_changes(const TaskChanges& a, const TaskChanges& b);

// What is kept of a task that is removed now: all its changes, and the decision to remove it as the last.
v1::TaskRecord make_task_record(const v1::Task& task, const Decision& removal, base::WallTime now);

}  // namespace orchion::core
