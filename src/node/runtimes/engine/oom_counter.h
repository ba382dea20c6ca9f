#pragma once

#include <cstdint>

#include "base/file.h"

namespace orchion::node::runtimes::engine {

// Whether the kernel killed something in a container for its memory: Podman's monitor misses that on cgroups v1.
// Opened while the container runs; readable until the engine has removed its cgroup, which takes it a moment.
class OomCounter {
 public:
  // Of the cgroup this process is in. One that can't be read says no. Blocks for some reads of /proc.
  static OomCounter of(std::int64_t pid);

  bool any() const;

 private:
  base::UniqueFd events_;
};

}  // namespace orchion::node::runtimes::engine
