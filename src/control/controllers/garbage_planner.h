#pragma once

// What is left over, one object at a time. All answers are "remove it", "mark it" or nothing.

#include <memory>
#include <vector>

#include "control/controllers/plan.h"

namespace orchion::control::controllers {

struct TaskGarbage {
  std::shared_ptr<const v1::Task> task;  // null: it is gone
  bool has_owner = true;                 // its service or its run
  bool has_node = true;                  // of its assignment; true where it has none
  bool fenced = false;                   // that fences its tasks, and isn't to go itself
};

// A task that is to go is removed when nobody is waited for: its agent confirmed (and took its finalizer away), it
// never had a node, or its node was removed; a fenced one then waits until its service or run has given it up as lost,
// because it may still run there. One whose service and run are gone is asked to go. Its addresses can be given out
// again when the object is gone, not before.
Plan plan_task_garbage(const TaskGarbage& facts, Now now);

// A revision without a service and without tasks is removed.
Plan plan_revision_garbage(const std::shared_ptr<const v1::Revision>& revision, bool has_service, bool in_use);

// A volume that is to go waits until no task mounts it; then, where its data is on a node that exists, for that node's
// agent to remove the data and take its finalizer away.
Plan plan_volume_garbage(const std::shared_ptr<const v1::Volume>& volume, bool in_use, bool has_node);

// The given events, oldest first, beyond `kept` of `count`.
Plan plan_event_garbage(const std::vector<std::shared_ptr<const v1::Event>>& oldest, std::size_t count,
                        std::size_t kept);

}  // namespace orchion::control::controllers
