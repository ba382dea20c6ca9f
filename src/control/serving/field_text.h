#pragma once

#include <string>

#include <google/protobuf/message.h>

#include "base/error.h"

namespace orchion::control::serving {

// Sets a field, or adds to a repeated one, from text as it stands in a URL. kInvalidArgument says what would fit.
base::Result<> set_from_text(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                             const std::string& text);

}  // namespace orchion::control::serving
