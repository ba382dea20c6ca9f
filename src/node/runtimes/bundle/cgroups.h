#pragma once

// How this machine mounts its cgroups: v1, v2, or hybrid (v1 with an empty v2 hierarchy beside it); and what of them is
// ours.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

struct CgroupLayout {
  enum class Mode { kV1, kV2, kHybrid, kNone };
  Mode mode = Mode::kV2;
  std::vector<std::string> hierarchies;            // mount points, below /sys/fs/cgroup
  std::string unified;                             // the v2 one among them; empty with v1. With kNone a hybrid's
  std::string memory;                              // the one that limits memory; empty: none does
  std::map<std::string, std::string> controllers;  // of v1: a controller's name → its mount point
  std::string top;                                 // the group below which ours are made; empty: the hierarchies' top
  std::vector<std::string> missing;                // of v2's controllers, those that nobody gave to us
  bool limits_swap = false;                        // a swap limit can be set
  bool weighs_disks = false;                       // disks can be shared by weight

  // The file that counts OOM kills in `group`; empty where nothing does.
  std::string memory_events(const std::string& group) const;

  bool operator==(const CgroupLayout&) const = default;
};

// From the text of /proc/self/mountinfo; limits_swap and weighs_disks are left false.
base::Result<CgroupLayout> parse_cgroup_layout(std::string_view mountinfo);

// This machine's, of which this process may use all; or, without root, one group of v2 that was delegated to it, or
// nothing where `delegated` is empty: then containers have no groups of their own. kFailedPrecondition where no cgroups
// are mounted. Blocks.
base::Result<CgroupLayout> detect_cgroup_layout(const std::optional<std::string>& delegated = std::nullopt);

// Says to the kernel that processes will move between cgroups soon. The first that moves waits until every processor
// has passed through the scheduler, some 8 ms; who moves within some tens of milliseconds after it doesn't. So a start
// that calls this early, beside other work, finds its own moves free. Moves this process to where it is, and no other;
// what goes wrong doesn't matter. Blocks for that time. Source: rcu_sync in Linux' kernel/cgroup and kernel/rcu/sync.c.
void announce_moves(const CgroupLayout& layout);

}  // namespace orchion::node::runtimes::bundle
