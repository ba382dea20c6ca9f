#pragma once

#include <string_view>

#include "base/clock.h"

namespace orchion::cli {

// "90s", "5m", "1h30m", "500ms", or seconds as a bare number; kInvalidArgument otherwise.
base::Result<base::Duration> parse_duration(std::string_view text);

// A duration before `now`, or an RFC 3339 time.
base::Result<base::WallTime> parse_moment(std::string_view text, base::WallTime now);

}  // namespace orchion::cli
