#pragma once

#include <chrono>
#include <filesystem>

#include "base/file.h"

namespace orchion::node::runtimes::bundle {

// Waits for a container's exit record, which its shim writes before it has ended itself.
class ExitWatch {
 public:
  // Watches from now on. Where that fails, wait() waits for the shim.
  explicit ExitWatch(const std::filesystem::path& bundle);

  // Blocks until a record was written since, or the shim has ended; false where neither happens within `limit`.
  bool wait(const base::UniqueFd& shim, std::chrono::milliseconds limit);

 private:
  bool record_written();

  base::UniqueFd events_;
};

}  // namespace orchion::node::runtimes::bundle
