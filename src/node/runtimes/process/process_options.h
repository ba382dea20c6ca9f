#pragma once

#include <filesystem>
#include <string>

namespace orchion::node::runtimes::process {

// Folders of its own: another runtime's containers are not to be found in them.
struct ProcessOptions {
  std::filesystem::path state_folder;  // forgotten at boot
  std::filesystem::path data_folder;   // kept: bundles and logs; must allow execution
  std::string cluster_short_id;        // marks what is made in the kernel: cgroups are "/orchion-ID-process/…"
};

}  // namespace orchion::node::runtimes::process
