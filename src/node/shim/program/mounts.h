#pragma once

#include "node/shim/program/settings.h"

namespace orchion::node::shim {

// Puts the calling process into a mount namespace of its own, in which the host's unmounts still take effect but
// whose mounts the host never sees, and covers there what the runtime binary must not see. What failed is reported;
// false then.
bool enter_own_mounts(const Settings& settings);

// Mounts the container's root at `place`, from the bundle, the working folder. What failed is reported; false then.
bool mount_root(int layers, const char* place);

}  // namespace orchion::node::shim
