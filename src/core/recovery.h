#pragma once

// What is done for a task that is unhealthy or failed: rules on which both sides agree.

#include <string>

#include "v1/objects.pb.h"

namespace orchion::core {

// Of an unhealthy task, after "it": "is restarted"; empty where nothing is done.
std::string remedy_text(v1::Recovery::Action action);

// How many times its slot was begun again before, by its agent and by tasks that it comes after.
unsigned restarts_of(const v1::Task& task);

// What failed is replaced by another task, instead of being started again by its agent.
bool is_made_anew(const v1::ServiceSpec& spec);

// Whether a task that ended is to be replaced as the spec stands.
bool wants_replacement(const v1::ServiceSpec& spec, const v1::Task& task);

// "it last said" and the last line of what the attempt wrote, to be put after a reason; empty where it said nothing.
std::string last_words(const v1::TaskStatus& status);

}  // namespace orchion::core
