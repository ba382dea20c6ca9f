#pragma once

#include "node/runtimes/bundle/user_ranges.h"

namespace orchion::daemon {

// Whose users this node gives to containers that have their own: ORCHION_USERS says, else what /etc/subuid and
// /etc/subgid both give to `orchion`, else what nobody has. kInvalidArgument: ORCHION_USERS is no range. Blocks.
base::Result<node::runtimes::bundle::UserPool> read_user_pool();

}  // namespace orchion::daemon
