#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/process.h"

namespace orchion::node::runtimes::bundle {

// The caller's descriptors that a shim gets; −1: /dev/null, or no lock.
struct ShimDescriptors {
  int in = -1;
  int out = -1;
  int error = -1;
  int lock = -1;     // becomes shim::kLockFd
  int program = -1;  // becomes shim::kProgramFd
};

// Starts the shim program in `folder` and returns this end of its report socket, non-blocking. The shim detaches
// itself: nobody has to wait for it. Blocks until it has.
base::Result<base::UniqueFd> spawn_shim(const std::filesystem::path& program, std::vector<std::string> arguments,
                                        const std::filesystem::path& folder, ShimDescriptors descriptors);

}  // namespace orchion::node::runtimes::bundle
