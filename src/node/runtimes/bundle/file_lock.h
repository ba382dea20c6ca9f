#pragma once

#include <chrono>
#include <filesystem>

#include "base/file.h"

namespace orchion::node::runtimes::bundle {

// Makes the file where it is missing, waits until nobody has it flocked and keeps others out while the descriptor
// lives. kDeadlineExceeded where somebody has it all that while. Blocks.
base::Result<base::UniqueFd> lock_file(const std::filesystem::path& path, std::chrono::milliseconds patience);

}  // namespace orchion::node::runtimes::bundle
