#pragma once

// The one place where a call is let in, whichever way it came.

#include <optional>
#include <string>

#include <google/protobuf/descriptor.h>

#include "base/error.h"
#include "control/serving/authenticator.h"

namespace orchion::control::serving {

// The caller's identity, if it may call `method`; empty for a public rpc. `authorization` is the header's whole
// value ("Bearer abc"). On the control executor. An rpc that names no permission is refused to everybody.
base::Result<std::string> admit(Authenticator& authenticator, const google::protobuf::MethodDescriptor& method,
                                const std::optional<std::string>& authorization);

// The same for who calls over mutual TLS: `certificate` is the client's, empty where it presented none.
base::Result<std::string> admit_certificate(Authenticator& authenticator,
                                            const google::protobuf::MethodDescriptor& method,
                                            const std::string& certificate);

}  // namespace orchion::control::serving
