#pragma once

// What an agent's report of a task is worth telling people. Pure.

#include <vector>

#include "core/events.h"

namespace orchion::control::services {

// Whether there may be anything to tell; seldom, and the rest costs more.
bool is_eventful(const v1::TaskStatus& before, const v1::TaskStatus& after);

// At most two. `before` is the task as it was known, `after` with what its agent reports; `service` is what it is made
// from. Agents restart by themselves, and say only the newest of a task: what lies between is counted, not told. How a
// run's tasks end is told of the run.
std::vector<core::EventDraft> task_events(const v1::Task& before, const v1::Task& after,
                                          const v1::ServiceSpec& service);

}  // namespace orchion::control::services
