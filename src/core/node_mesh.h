#pragma once

#include "base/error.h"
#include "v1/objects.pb.h"

namespace orchion::core {

// Key and endpoint, as a node says them. kInvalidArgument says what is wrong.
base::Result<> check_node_mesh(const v1::NodeMesh& mesh);

}  // namespace orchion::core
