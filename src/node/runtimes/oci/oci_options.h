#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "node/runtimes/bundle/user_ranges.h"
#include "node/runtimes/oci/runtime_binary.h"

namespace orchion::node::runtimes::oci {

struct OciOptions {
  std::filesystem::path state_folder;  // forgotten at boot ("/run/orchion-x")
  std::filesystem::path data_folder;   // kept: bundles, writable layers, logs; on a file system overlayfs can write to
  std::string cluster_short_id;        // marks what is made in the kernel: cgroups are "/orchion-ID/…"
  // Without root: see bundle::detect_cgroup_layout().
  std::optional<std::string> delegated_group = std::nullopt;
  std::vector<RuntimeBinary> binaries;  // not empty; the first runs what asks for none of them
  bundle::UserPool users = {};          // for containers with users of their own
};

}  // namespace orchion::node::runtimes::oci
