#pragma once

// Of whom a line is: of a task that there is, or was.

#include "v1/control.pb.h"
#include "v1/dispatcher.pb.h"

namespace orchion::core {

// As what the lines of this task are told.
v1::LogSource log_source(const v1::Task& task);

// Whether it is one of those whose output is asked for.
bool is_wanted(const v1::LogSource& source, const v1::LogsRequest& request);

}  // namespace orchion::core
