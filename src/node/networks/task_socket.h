#pragma once

#include "base/file.h"

namespace orchion::node::networks {

// A TCP socket, not connected and not blocking, in the network namespace of the process that `process`, a pidfd, is of.
// `family`: AF_INET or AF_INET6. kFailedPrecondition: the process has ended. Made on a thread of its own, for which
// this waits.
base::Result<base::UniqueFd> make_task_socket(const base::UniqueFd& process, int family);

}  // namespace orchion::node::networks
