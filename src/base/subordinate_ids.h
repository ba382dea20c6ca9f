#pragma once

// The users and groups that a user may have beside the own one, for containers. Source: subuid(5), newuidmap(1).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::base {

struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

// What a file such as /etc/subuid gives to a user, by name or, where it is said, by number; lines that aren't
// understood give nothing.
std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view name,
                                           std::optional<std::uint32_t> uid = std::nullopt);

struct SubordinateIds {
  std::vector<IdRange> users;
  std::vector<IdRange> groups;
};

// What /etc/subuid and /etc/subgid give to this process's user. kFailedPrecondition: too few for the images that there
// are, whose files belong to users up to 65534, and what to do. Blocks.
Result<SubordinateIds> find_subordinate_ids();

// Arguments of newuidmap or newgidmap, in threes: `own` becomes 0, the ranges follow without a gap from 1 on.
std::vector<std::string> map_arguments(std::uint32_t own, const std::vector<IdRange>& ranges);

}  // namespace orchion::base
