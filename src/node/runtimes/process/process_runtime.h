#pragma once

// Programs of the node itself, without a container around them: a cgroup, a user, a session, and a shim each.

#include <memory>

#include "node/runtimes/bundle/bundle_runtime.h"
#include "node/runtimes/process/process_options.h"

namespace orchion::node::runtimes::process {

// What a program of the node can't have (mounts, a network, an image, …) prepare() refuses with kInvalidArgument.
// Names and addresses of the cluster it doesn't get: it sees the node's own host name, hosts file and resolver.
class ProcessRuntime final : public bundle::BundleRuntime {
 public:
  // Installs the shim and reads how cgroups are mounted. Needs root. Blocks. `pool` must outlive the runtime.
  static base::Result<std::unique_ptr<ProcessRuntime>> open(base::Executor executor, base::WorkerPool& pool,
                                                            ProcessOptions options);

 private:
  using BundleRuntime::BundleRuntime;
};

}  // namespace orchion::node::runtimes::process
