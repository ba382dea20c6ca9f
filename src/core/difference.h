#pragma once

#include <string>
#include <vector>

#include "v1/control.pb.h"

namespace orchion::core {

// What applying `after` would do to a stack that stands as `before` (empty where there is none). Both with their
// defaults filled in. One change per service, job, network, network policy and volume, also where nothing changes, in
// the order of their names. base_revision is left to the caller.
v1::Plan difference(const v1::StackSpec& before, const v1::StackSpec& after);

// Field by field, by the names the JSON has: "container.image", "container.environment[PORT]". Lists whose elements
// have a name are compared by it, others by their places. Of a secret nothing is shown but that it is there:
// "<changed>".
std::vector<v1::FieldChange> field_changes(const google::protobuf::Message& before,
                                           const google::protobuf::Message& after);

}  // namespace orchion::core
