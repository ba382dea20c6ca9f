#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace orchion::core {

// "2024-03-01T12:00:00.123Z"; nullopt for what is none, and for years in which nanoseconds overflow. Pure.
// Source: RFC 3339
std::optional<base::WallTime> parse_timestamp(std::string_view text);

}  // namespace orchion::core
