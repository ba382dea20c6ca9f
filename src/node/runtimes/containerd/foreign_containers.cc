// What containerd has beside our containers: Docker's, Kubernetes' and those made by hand, each in a namespace.

#include "core/timestamps.h"
#include "node/runtimes/containerd/containerd_runtime.h"

namespace orchion::node::runtimes::containerd {

namespace {

namespace types = ::containerd::v1::types;

// In the words of `ctr`. A container whose process was never started, or was cleaned up, has none.
std::string state_of(const std::map<std::string, Task>& tasks, const std::string& id) {
  const auto found = tasks.find(id);
  if (found == tasks.end()) return "no process";
  switch (found->second.status()) {
    case types::CREATED: return "created";
    case types::RUNNING: return "running";
    case types::STOPPED: return "stopped";
    case types::PAUSED: return "paused";
    case types::PAUSING: return "pausing";
    default: return "unknown";
  }
}

}  // namespace

base::Co<std::vector<ForeignContainer>> ContainerdRuntime::list_foreign() {
  CO_ASSIGN_OR_RETURN(const auto name_spaces, co_await client_->list_namespaces());
  std::vector<ForeignContainer> foreign;
  for (const auto& name_space : name_spaces) {
    if (name_space == client_->name_space()) continue;
    CO_ASSIGN_OR_RETURN(const auto tasks, co_await client_->list_tasks(name_space));
    CO_ASSIGN_OR_RETURN(const auto containers, co_await client_->list_containers(name_space));
    for (const auto& container : containers)
      foreign.push_back({container.id(), container.id(), container.image(), state_of(tasks, container.id()), name_space,
                         core::from_timestamp(container.created_at())});
  }
  co_return foreign;
}

}  // namespace orchion::node::runtimes::containerd
