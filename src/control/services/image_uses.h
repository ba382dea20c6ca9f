#pragma once

#include <string>
#include <vector>

#include "control/store/view.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Whether a task of that node runs from the image, or is to: such an image the node neither removes nor prunes. The
// node itself has the last word, since it may still be cleaning up after a task that is gone here.
bool is_in_use(const store::View& view, const v1::Image& image, const v1::Node& node);

// What pruning these nodes would remove. `freed_bytes` counts each image whole, though layers that another one needs
// stay.
v1::PruneImagesResponse prunable(const store::View& view, const std::vector<std::shared_ptr<const v1::Node>>& nodes);

}  // namespace orchion::control::services
