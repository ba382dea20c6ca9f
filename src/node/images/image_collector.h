#pragma once

#include "base/clock.h"
#include "node/images/image_store.h"

namespace orchion::node::images {

// Collects every ten minutes, the first time after as long: by then the tasks that run are known. Ends when it is
// cancelled; both outlive it.
base::Co<> keep_collecting(ImageStore* store, base::Clock* clock, CollectionLimits limits);

}  // namespace orchion::node::images
