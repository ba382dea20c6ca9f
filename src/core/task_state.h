#pragma once

#include <string_view>

#include "v1/objects.pb.h"

namespace orchion::core {

// SUCCEEDED, FAILED, STOPPED: the task's process is no more and won't come again.
bool is_terminal(v1::TaskState state);

// Within an attempt states move only forward; steps may be skipped, because reports are coalesced; any state may end.
bool may_follow(v1::TaskState before, v1::TaskState after);

// The same for whole reports: a later attempt may be in any state, an earlier one says nothing any more, and what
// ended has ended in every attempt. Equal states of one attempt are a repetition and allowed.
bool may_follow(const v1::TaskStatus& before, const v1::TaskStatus& after);

// Of what runs. Names and published ports lead to it: no check of its readiness says otherwise.
bool is_ready(const v1::TaskStatus& status);

// No check says, or has still to say, that it doesn't do its work; what isn't checked at all is well.
bool is_well(const v1::TaskStatus& status);

// It is well, and a check said so.
bool is_healthy(const v1::TaskStatus& status);

// "running": for people.
std::string_view state_name(v1::TaskState state);

}  // namespace orchion::core
