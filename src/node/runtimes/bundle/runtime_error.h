#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

// What a shim's report of a failure means. `report` is everything after its first line; `from_runtime` where that
// line was kReportRuntime and the rest is the runtime binary's JSON log line. kNotFound: the command doesn't exist;
// kPermissionDenied: it isn't executable.
base::Error classify_start_failure(std::string_view report, bool from_runtime);

}  // namespace orchion::node::runtimes::bundle
