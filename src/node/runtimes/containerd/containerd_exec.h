#pragma once

#include <memory>
#include <string>

#include "base/worker_pool.h"
#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/bundle/exec_session.h"
#include "node/runtimes/containerd/containerd_client.h"

namespace orchion::node::runtimes::containerd {

// An exec whose fifos are there: what containerd is asked for, and our ends of them.
struct PreparedExec {
  tasks_api::ExecProcessRequest request;
  bundle::ExecDescriptors descriptors;
  base::UniqueFd out_held;  // writers, so that no fifo seems to be at its end before containerd has opened it
  base::UniqueFd error_held;
  std::uint16_t columns = 0;
  std::uint16_t rows = 0;
};

// In a folder of its own, which is the caller's to remove: descriptors.folder. Blocks.
base::Result<PreparedExec> prepare_exec(const bundle::BundleStore& store, std::string id, std::int64_t pid,
                                        ExecConfig config);

// Starts it. Its stream's end kills it. The error of a start that failed is containerd's own.
base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> start_exec(std::shared_ptr<ContainerdClient> client,
                                                                          PreparedExec exec);

}  // namespace orchion::node::runtimes::containerd
