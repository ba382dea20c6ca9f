#pragma once

#include <string>

#include "control/store/view.h"

namespace orchion::control::services {

// The hostname, or that with a number where another node is called so. In lower case, without what names of nodes
// can't have.
std::string free_node_name(const store::View& view, const std::string& hostname);

}  // namespace orchion::control::services
