#pragma once

// Control groups for containers without root: a scope that the user's own systemd makes and gives away whole.
// Source: systemd's "Control Group APIs and Delegation", org.freedesktop.systemd1(5), cgroups(7).

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::daemon {

// The path of a process's group of v2, out of the text of /proc/PID/cgroup; empty where it has none. Pure.
std::string unified_group(std::string_view text);

// The group that holds what `holder` holds the namespaces for, below /sys/fs/cgroup: found, or made. This process may
// put others in it afterwards. kFailedPrecondition: there is none, and why. Blocks for a moment.
base::Result<std::string> find_delegated_group(pid_t holder);

// Puts `process` into the holder's own group, below such a group. Blocks.
base::Result<> join_holder(const std::string& group, pid_t process);

}  // namespace orchion::daemon
