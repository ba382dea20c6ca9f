#pragma once

// What stands beside a request's message. Private to this folder.

#include <memory>
#include <optional>
#include <string>

#include "control/serving/control_call.h"
#include "wire/http.h"

namespace orchion::control::serving {

std::optional<std::string> authorization_of(const wire::Request& request);

// Idempotency-Key and If-Match; kInvalidArgument for an ETag that isn't one, and for what `method` does not heed.
base::Result<core::CallContext> context_of(const wire::Request& request, const core::Method& method);

}  // namespace orchion::control::serving
