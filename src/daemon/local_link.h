#pragma once

#include "base/task_group.h"
#include "core/methods.h"
#include "node/agent/control_link.h"

namespace orchion::daemon {

// The way from an agent to the control plane of the same process: the same rpcs, through pipes. One executor.
class LocalLink final : public node::agent::ControlLink {
 public:
  // `methods` and `calls` outlive it; the handlers run in `calls`.
  LocalLink(const core::MethodTable& methods, base::TaskGroup& calls) : methods_(methods), calls_(calls) {}

  base::Co<std::unique_ptr<node::agent::SessionStream>> open_session() override;
  base::Co<std::unique_ptr<node::agent::DataStream>> open_stream() override;

 private:
  const core::MethodTable& methods_;
  base::TaskGroup& calls_;
};

}  // namespace orchion::daemon
