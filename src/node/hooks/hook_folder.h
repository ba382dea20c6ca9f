#pragma once

#include <filesystem>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::hooks {

// Gives the container those hooks of the folder's *.json files, by name, that are for it; the folder need not be there.
// kFailedPrecondition: a file has something wrong in it, and nobody knows what it was to guard. Blocks.
base::Result<> add_node_hooks(const std::filesystem::path& folder, runtimes::ContainerConfig& config);

}  // namespace orchion::node::hooks
