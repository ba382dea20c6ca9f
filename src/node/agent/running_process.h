#pragma once

#include "node/agent/task_table.h"
#include "node/files/process.h"

namespace orchion::node::agent {

// The first process of a running task's container, which its runtime was asked about: a pid that became another
// process's meanwhile is never taken for it. kFailedPrecondition: the task doesn't run here.
base::Co<files::Process> find_running_process(const TaskTable& tasks, std::string task_uid);

}  // namespace orchion::node::agent
