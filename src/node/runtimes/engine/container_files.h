#pragma once

// What is bind-mounted into a container beside the user's own mounts.

#include <filesystem>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::engine {

// Writes config.files, by their number, into `folder`, which is made a tmpfs: what is secret is on no disk.
// kInvalidArgument: a file has no owner and the container's user is a name, which only the image could explain. Blocks,
// like all here.
base::Result<> write_secret_files(const ContainerConfig& config, const std::filesystem::path& folder);

// The folder that is mounted at shim::kGateFolder, with the gate in it.
base::Result<> make_gate_folder(const std::filesystem::path& program, const std::filesystem::path& folder);

}  // namespace orchion::node::runtimes::engine
