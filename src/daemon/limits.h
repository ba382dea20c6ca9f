#pragma once

// What is kept on a node and for how long, as the environment says.

#include <chrono>

#include "base/error.h"
#include "node/images/collection_plan.h"
#include "node/logs/log_keeper.h"

namespace orchion::daemon {

// When images go by themselves, from ORCHION_IMAGES_UNUSED_DAYS, ORCHION_IMAGES_DISK_HIGH and ORCHION_IMAGES_DISK_LOW;
// kInvalidArgument says which is wrong.
base::Result<node::images::CollectionLimits> read_image_limits();

// How long what gone tasks said is kept, and how much of it: from ORCHION_KEEP_LOGS_DAYS and ORCHION_KEEP_LOGS_MIB.
// Likewise.
base::Result<node::logs::LogKeeperOptions> read_log_limits();

// How long a node keeps its key for the mesh, from ORCHION_MESH_KEY_SECONDS.
base::Result<std::chrono::seconds> read_mesh_key_lifetime();

}  // namespace orchion::daemon
