#pragma once

#include <string>

#include "cli/context.h"
#include "v1/control.pb.h"

namespace orchion::cli {

// A task's life for people: what it is, then a line for each change. `previous`: of several tasks, each line says
// which.
std::string timeline_text(const v1::TaskTimeline& timeline, bool previous, base::WallTime now);

// Asks for it and prints it, as text or as -o says.
int show_task_timeline(Context& context, const v1::GetTaskTimelineRequest& request);

}  // namespace orchion::cli
