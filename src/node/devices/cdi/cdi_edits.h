#pragma once

// What devices do to a container.

#include <vector>

#include "base/error.h"
#include "node/devices/cdi/cdi_spec.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::devices::cdi {

// Adds the edits to the container: a variable replaces one of its name, a mount or device one at its place. Pure.
void apply(const Edits& edits, runtimes::ContainerConfig& config);

// Holds the nodes against the devices that are there: kFailedPrecondition where one is missing or another. Mode, user
// and group stay only where they differ from the device's, which every runtime passes on. Blocks.
base::Result<> fit_to_node(Edits& edits);

// The devices of `config` that are CDI names become what they stand for, found in `folders`. Does nothing, and reads
// nothing, where there are none. Blocks.
base::Result<> resolve_devices(const std::vector<std::filesystem::path>& folders, runtimes::ContainerConfig& config);

}  // namespace orchion::node::devices::cdi
