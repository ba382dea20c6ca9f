#pragma once

// What a container sees as /etc/resolv.conf, /etc/hosts and /etc/hostname.

#include <filesystem>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes {

// "resolv.conf", "hosts" and "hostname" in `folder`, which is there. Without name servers of its own a container has
// the machine's. Blocks.
base::Result<> write_network_files(const std::filesystem::path& folder, const ContainerConfig& config);

}  // namespace orchion::node::runtimes
