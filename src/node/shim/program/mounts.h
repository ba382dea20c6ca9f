#pragma once

#include "node/shim/program/settings.h"

namespace orchion::node::shim {

// Puts the calling process into a mount namespace of its own, in which the host's unmounts still take effect but
// whose mounts the host never sees, and mounts the container's root there. All of it vanishes with the last
// process inside. What failed is reported; false then.
bool mount_root(const Settings& settings);

}  // namespace orchion::node::shim
