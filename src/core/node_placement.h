#pragma once

// What is placed on a node: taints, labels, and what it keeps for itself. Pure.

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "v1/control.pb.h"
#include "v1/objects.pb.h"

namespace orchion::core {

constexpr std::size_t kNodeLabelsMax = 64;
constexpr std::size_t kNodeTaintsMax = 64;
constexpr std::size_t kNodeTextBytesMax = 256;  // of each key and value

struct NodePlacement {
  v1::NodeSpec spec;
  std::vector<std::string> changes;  // "taint gpu:no-tasks", "no label disk"; empty: nothing differs
};

// The node's spec as the request wants it: first it takes away, then it adds. kInvalidArgument with every violation,
// pointers into the request; kNotFound: what it takes away isn't there.
base::Result<NodePlacement> place_on_node(const v1::Node& node, const v1::SetNodePlacementRequest& request);

}  // namespace orchion::core
