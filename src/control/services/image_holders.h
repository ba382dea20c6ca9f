#pragma once

// Which nodes hold which images: a node's list against what is stored.

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// The writes after which the store says that `node` holds exactly these images; none where it says so already. An
// image that no node holds any more is removed. Computed from the view: kAborted at the commit means that another
// node's list came in between, and this is to be computed again.
std::vector<store::Transaction> image_changes(const store::View& view, const std::string& node,
                                              const v1::NodeImages& images, base::Random& random, base::WallTime now);

}  // namespace orchion::control::services
