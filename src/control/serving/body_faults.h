#pragma once

// Where a JSON body doesn't fit a message. Private to this folder.

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "base/error.h"

namespace orchion::control::serving {

// For a body that protobuf has refused: protobuf tells the first fault in words, without a map's key or a place it can
// be found by. Each fault has a pointer; none tells a value, which may be a secret. Unknown fields and values of a
// wrong sort are found, at any depth, the first 100 of them; empty: it is something else, or no JSON at all.
std::vector<base::FieldViolation> faults_of(const std::string& body, const google::protobuf::Descriptor& type);

}  // namespace orchion::control::serving
