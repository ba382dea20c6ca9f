#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::devices::cdi {

// A mount as mount(8) and the OCI runtime specification describe it. kInvalidArgument for types and options that
// containers here can't have.
base::Result<runtimes::MountPoint> make_mount(const std::string& source, const std::string& target,
                                              const std::string& type, const std::vector<std::string>& options);

}  // namespace orchion::node::devices::cdi
