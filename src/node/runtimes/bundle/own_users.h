#pragma once

// What a container with users of its own needs beside any other.

#include <filesystem>
#include <string>

#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/bundle/oci_config.h"

namespace orchion::node::runtimes::bundle {

// Why this node can't give containers users of their own, as the end of a sentence; empty: it can. `shim` is the
// installed program, `folder` lies where bundles do. Blocks.
std::string lack_of_users(const std::filesystem::path& shim, const std::filesystem::path& folder);

// kInvalidArgument for what goes with the node's users alone. Pure.
base::Result<> check_own_users(const ContainerConfig& config);

// The folder that the shim covers, which the container's root has to reach; made where it isn't yet. Blocks.
base::Result<> make_mounts_folder(const std::filesystem::path& folder);

// For the shim, beside its settings, once it is sure that all of it can be mounted: the owners of what is bound have to
// be moved, and not every file system can. context.own_users is set. Blocks.
base::Result<> write_users_record(const BundlePlace& place, const ContainerConfig& config, const OciContext& context);

}  // namespace orchion::node::runtimes::bundle
