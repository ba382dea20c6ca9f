#pragma once

// The blocking work around a container's beginning and end: what is in its bundle.

#include <optional>
#include <string>

#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/containerd/containerd_client.h"
#include "node/runtimes/containerd/task_requests.h"

namespace orchion::node::runtimes::containerd {

// What prepare() wrote, for this attempt. Blocks.
base::Result<StartPlan> read_start_plan(const bundle::BundleStore& store, const std::filesystem::path& shim,
                                        const std::string& id, std::uint32_t attempt);

// Records durably how the newest start ended, unless that was recorded before; no task: containerd doesn't know it any
// more. Blocks.
base::Result<bundle::BundleState> write_end(const bundle::BundleStore& store, const std::string& id,
                                            const std::optional<Task>& task);

// Until all it said is in its log. Blocks.
base::Result<> wait_for_logger(const bundle::BundleStore& store, const std::string& id);

}  // namespace orchion::node::runtimes::containerd
