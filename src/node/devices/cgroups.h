#pragma once

// What the control groups that hold this process leave of the machine. Pure but for reading files below `root`,
// which is "/" on a real machine and a folder of samples in tests.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::node::devices {

// One mounted hierarchy, from /proc/self/mountinfo, with this process's place in it from /proc/self/cgroup.
struct CgroupHierarchy {
  int version = 0;                       // 1 or 2
  std::vector<std::string> controllers;  // version 1 only: "cpu", "memory", …
  std::filesystem::path mount_point;     // as the process sees it
  std::filesystem::path group;           // of this process, below the mount point; "/" is the mount's top

  bool operator==(const CgroupHierarchy&) const = default;
};

// `mountinfo` and `self_cgroup` are the contents of the two files. What can't be understood is left out.
// Source: proc(5), cgroups(7)
std::vector<CgroupHierarchy> parse_hierarchies(std::string_view mountinfo, std::string_view self_cgroup);

// 1, 2, 3 for both (hybrid), 0 for none. A version 1 hierarchy without controllers (systemd's) counts too.
int cgroup_version(const std::vector<CgroupHierarchy>& hierarchies);

// Absent: no limit.
struct CgroupLimits {
  std::optional<std::int64_t> nano_cpus;
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> memory_free_bytes;  // under the tightest limit, reclaimable page cache counted as free
};

// The tightest limit on the way from this process's group up to the top of each mount.
CgroupLimits read_limits(const std::filesystem::path& root, const std::vector<CgroupHierarchy>& hierarchies);

}  // namespace orchion::node::devices
