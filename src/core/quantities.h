#pragma once

// Amounts of memory and of processor, as people write and read them.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

// "512m", "1.5g", "4GiB", "100 kb", "1024": bytes. As in Compose files k, m, g and t count in 1024s, with or without
// "b" or "ib", in upper or lower case. Negative, empty, unknown or too large: kInvalidArgument.
base::Result<std::int64_t> parse_bytes(std::string_view text);

// "1.5", "0.25", "2" cores: billionths of a core. More than nine decimals, or negative: kInvalidArgument.
base::Result<std::int64_t> parse_cpus(std::string_view text);

// The largest unit of which there is at least one, with at most two significant decimals: "4 GiB", "1.2 GiB",
// "512 MiB", "0 B".
std::string format_bytes(std::int64_t bytes);

// As many decimals as the amount has: "1.5", "0.25", "2".
std::string format_cpus(std::int64_t nano_cpus);

// "need 4 GiB, free 1.2": the second amount in the first one's unit, rounded down, so that it never looks enough.
std::string format_need_bytes(std::int64_t need, std::int64_t free);

}  // namespace orchion::core
