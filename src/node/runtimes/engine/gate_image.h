#pragma once

#include <filesystem>

#include "base/error.h"

namespace orchion::node::runtimes::engine {

// Puts the gate program (node/shim/gate), which is embedded in this one, at `path`, unless it is there already. Blocks.
base::Result<> install_gate(const std::filesystem::path& path);

}  // namespace orchion::node::runtimes::engine
