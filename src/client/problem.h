#pragma once

#include <string_view>

#include "base/error.h"

namespace orchion::client {

// An answer that isn't 2xx as an error: RFC 9457's `detail`, the canonical code from `code` (else from the HTTP
// status), `errors[]` as fields. A body that is no problem document gives a sentence with the status.
base::Error error_of_answer(int status, std::string_view body);

}  // namespace orchion::client
