#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "control/store/store.h"
#include "control/store/view.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// What a node's list of its images changes: images of no node go, new ones come, the others know who holds them. Each
// transaction is as large as it may be at the most.
std::vector<store::Transaction> image_changes(const store::View& view, const std::string& node_name,
                                              const v1::NodeImages& images, base::Random& random, base::WallTime now);

}  // namespace orchion::control::services
