#pragma once

// The control plane of a simulated cluster, from its store to its table of rpcs; all but what serves them.

#include <memory>
#include <string>

#include "base/task_group.h"
#include "control/controllers/controller_set.h"
#include "control/services/handlers.h"
#include "control/store/memory/memory_store.h"
#include "control/store/object_store.h"
#include "core/methods.h"

namespace orchion::testing {

// One life of the control plane. Another one on the same store is what a restart leaves.
class Server {
 public:
  // `store` and `clock` outlive it.
  Server(base::Executor executor, control::store::Store& store, base::Clock& clock, std::uint64_t seed);

  // `listener` gets every commit from here on.
  base::Co<> start(control::store::ObjectStore::Listener listener);

  // When no link reaches it any more; before it is destroyed.
  base::Co<> shutdown();

  const core::MethodTable& methods() const { return methods_; }
  const control::store::View& view() const { return objects_.view(); }

  // Runs an rpc; its caller holds the other end of `stream`.
  void call(const core::Method& method, std::shared_ptr<core::MessageStream> stream);

 private:
  base::Executor executor_;
  base::Clock& clock_;
  base::Random random_;
  base::TaskGroup calls_;
  core::MethodTable methods_;
  control::store::ObjectStore objects_;
  control::controllers::NodeLiveness liveness_;
  control::services::NodeStreams streams_;
  control::services::Dispatcher dispatcher_;
  std::unique_ptr<control::controllers::ControllerSet> controllers_;
  std::shared_ptr<void> subscription_;
};

}  // namespace orchion::testing
