#pragma once

#include <google/protobuf/message.h>

namespace orchion::control::serving {

// Replaces every value marked secret, wherever it stands in the message, by "<redacted>" (bytes too; numbers and
// messages are cleared); empty ones stay empty. Quick where the type holds no secret. Thread-safe.
void redact(google::protobuf::Message& message);

}  // namespace orchion::control::serving
