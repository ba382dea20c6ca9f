#include "node/agent/running_process.h"

namespace orchion::node::agent {

namespace {

std::unexpected<base::Error> not_running() {
  return base::fail(base::Code::kFailedPrecondition,
                    "the task isn't running on its node: see `orchion ps`, and try one that is");
}

}  // namespace

base::Co<files::Process> find_running_process(const TaskTable& tasks, std::string task_uid) {
  const auto* runner = tasks.find(task_uid);
  if (runner == nullptr || runner->status().state() != v1::RUNNING) co_return not_running();
  auto& runtime = runner->executor()->runtime;
  CO_ASSIGN_OR_RETURN(auto process, files::open_process(runner->status().pid()));
  // Held first and asked about then: the runtime's word is about the process that is held.
  CO_ASSIGN_OR_RETURN(const auto container, co_await runtime.inspect(std::move(task_uid)));
  if (!container || container->phase != runtimes::ContainerPhase::kRunning || container->pid != process.pid)
    co_return not_running();
  co_return process;
}

}  // namespace orchion::node::agent
