#pragma once

// What the node's own files add to its containers.

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::agent {

struct NodeFiles {
  std::vector<std::filesystem::path> cdi_folders = {"/etc/cdi", "/var/run/cdi"};  // of two the later counts
  std::filesystem::path hooks = {};                                               // a folder; empty: none
};

// `config` with its CDI devices as what they stand for, and the node's hooks where its runtime has them. Blocks.
base::Result<runtimes::ContainerConfig> add_node_files(const NodeFiles& files, bool has_hooks,
                                                       runtimes::ContainerConfig config);

}  // namespace orchion::node::agent
