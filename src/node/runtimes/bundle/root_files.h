#pragma once

// What a container of image layers needs in its bundle beside its configuration, and what the image says of its user.

#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/bundle/oci_config.h"

namespace orchion::node::runtimes::bundle {

// kInvalidArgument where there is no layer or no command.
base::Result<> check_image(const ContainerConfig& config);

// The writable layer, links to the others, and the files about names and addresses. `first_user`: the node's number of
// the container's user 0. Blocks.
base::Result<> fill_root_files(const BundlePlace& place, const ContainerConfig& config, std::uint32_t first_user = 0);

// config.files, on a tmpfs. Blocks.
base::Result<> fill_memory_files(const BundlePlace& place, const ContainerConfig& config, std::uint32_t first_user = 0);

// Everything that the machine adds to `config` but seccomp. Blocks.
base::Result<OciContext> find_oci_context(const BundlePlace& place, const ContainerConfig& config,
                                          const CgroupLayout& cgroups);

// The process object for an exec in the running container whose first process is `pid`. Blocks.
base::Result<std::string> find_exec_json(const BundlePlace& place, std::int64_t pid, const ExecConfig& config);

}  // namespace orchion::node::runtimes::bundle
