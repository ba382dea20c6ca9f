#pragma once

// Which tasks a node turns away. Pure.

#include <string>
#include <string_view>

#include "base/error.h"
#include "v1/specs.pb.h"

namespace orchion::core {

bool tolerates(const google::protobuf::RepeatedPtrField<v1::Toleration>& tolerations, const v1::Taint& taint);

// The first of the taints for whose sake a task with these tolerations leaves the node; null: it may stay.
const v1::Taint* drives_away(const google::protobuf::RepeatedPtrField<v1::Taint>& taints,
                             const google::protobuf::RepeatedPtrField<v1::Toleration>& tolerations);

// "no-new-tasks", "prefer-others", "no-tasks"; or as Kubernetes names the same: "NoSchedule", "PreferNoSchedule",
// "NoExecute". In upper or lower case, with '-' or '_'. kInvalidArgument says what there is.
base::Result<v1::Taint::Effect> parse_effect(std::string_view text);

// "gpu=a100:no-tasks", "gpu:no-tasks".
std::string taint_text(const v1::Taint& taint);

}  // namespace orchion::core
