#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

// The shim program (node/shim/program), as embedded in this one.
std::string_view shim_image();

// Under which it is installed: named by its digest.
std::string shim_file_name();

// Puts it into `folder` under its digest, where it isn't yet, and returns its path. The folder must allow
// execution, which /run often doesn't. Blocks.
base::Result<std::filesystem::path> install_shim(const std::filesystem::path& folder);

}  // namespace orchion::node::runtimes::bundle
