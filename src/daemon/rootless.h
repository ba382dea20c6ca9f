#pragma once

// Running containers without being root: in a user namespace where this process is root over its own user and over
// those that /etc/subuid and /etc/subgid give to it. A mount namespace belongs to it, in which what containers need is
// mounted and nobody else sees it. Both stay, held by a small process, while containers run and no agent does.
// Source: user_namespaces(7), newuidmap(1).

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/error.h"

namespace orchion::daemon {

// What is missing on this machine for it, and what to do: programs, subordinate users. Nothing is made.
base::Result<> check_rootless();

// Moves this process into the namespaces that belong to the data folder, made now where nobody holds them. Before the
// first thread is started. Not for root.
base::Result<> enter_user_namespace(const std::filesystem::path& data);

// Whether this process did that.
bool is_rootless();

// The control group that containers of such a process are below, as /proc/self/cgroup has it; empty: they have none.
const std::string& rootless_group();

// Puts a program of its own beside the holder, out of the group of whoever starts and ends this process. Where there
// are no groups nothing happens.
void keep_apart(pid_t program);

// At this process's end: lets the namespaces go where no container is left that needs them.
base::Result<> release_if_unused(const std::filesystem::path& data);

}  // namespace orchion::daemon
