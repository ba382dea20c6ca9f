#pragma once

// What a network policy asks for of a task: the labels of its service and of its container as one.

#include <google/protobuf/map.h>

#include "v1/specs.pb.h"

namespace orchion::core {

using Labels = google::protobuf::Map<std::string, std::string>;

// The container's go before the service's of the same name.
Labels policy_labels(const Labels& service, const Labels& container);
Labels policy_labels(const v1::ServiceSpec& spec);

}  // namespace orchion::core
