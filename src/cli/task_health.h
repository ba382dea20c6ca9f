#pragma once

#include <string>

#include "cli/context.h"
#include "core/naming.h"

namespace orchion::cli {

// What checks one running task, what the checks found lately and what comes next. kExitFailed where one fails.
int show_task_health(Context& context, const core::Address& address);

}  // namespace orchion::cli
