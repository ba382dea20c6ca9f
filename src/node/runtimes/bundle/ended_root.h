#pragma once

// The files of a container that has ended, as it left them.

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace orchion::node::runtimes::bundle {

// Its root folder, read-only, mounted where nobody else sees it for as long as the descriptor lives: what was mounted
// into the container isn't there. `bundle` is its folder. Needs what mounting needs; a thread of its own does it.
base::Result<base::UniqueFd> open_ended_root(const std::filesystem::path& bundle);

// As Runtime::save_files() has it. Blocks.
base::Result<> save_files(const std::filesystem::path& bundle, const std::string& path, std::int64_t bytes_max,
                          const std::filesystem::path& file);

}  // namespace orchion::node::runtimes::bundle
