#pragma once

#include "base/error.h"
#include "node/images/collection_plan.h"

namespace orchion::daemon {

// When images go by themselves, from ORCHION_IMAGES_UNUSED_DAYS, ORCHION_IMAGES_DISK_HIGH and ORCHION_IMAGES_DISK_LOW;
// kInvalidArgument says which is wrong.
base::Result<node::images::CollectionLimits> read_image_limits();

}  // namespace orchion::daemon
