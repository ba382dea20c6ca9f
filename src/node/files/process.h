#pragma once

#include <cstdint>

#include "base/file.h"

namespace orchion::node::files {

// A container's first process.
struct Process {
  std::int64_t pid = 0;
  base::UniqueFd handle;  // a pidfd
};

// Holds the process that has this pid now. Whether it is the one that is meant is to be asked after this: where it
// still has the pid then, it is. kFailedPrecondition: there is none.
base::Result<Process> open_process(std::int64_t pid);

}  // namespace orchion::node::files
