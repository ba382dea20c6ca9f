#pragma once

#include <google/protobuf/message.h>

#include "base/error.h"

namespace orchion::core {

// kInvalidArgument, with a pointer to each, where an enum anywhere in the message has a number that the contract has no
// name for: proto3 lets it through, and whoever stores it doesn't know what it will once mean.
base::Result<> check_enums(const google::protobuf::Message& message);

}  // namespace orchion::core
