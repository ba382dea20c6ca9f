#pragma once

#include <filesystem>
#include <string>

namespace orchion::node::runtimes::containerd {

// Folders of its own: another runtime's containers are not to be found in them.
struct ContainerdOptions {
  std::filesystem::path socket = "/run/containerd/containerd.sock";
  std::filesystem::path state_folder;  // forgotten at boot
  std::filesystem::path data_folder;   // kept: bundles, writable layers, logs; must allow execution and overlayfs
  std::string cluster_short_id;  // marks what is made: containerd's namespace is "orchion-ID", cgroups "…-containerd/…"
};

}  // namespace orchion::node::runtimes::containerd
