#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "spec/node.h"
#include "spec/problems.h"

namespace orchion::spec {

// What one file may cost. Anchors that expand are counted at their full size.
struct ReadLimits {
  std::size_t bytes_max = 1u << 20;
  std::size_t nodes_max = 100'000;
  std::size_t depth_max = 64;
};

// Reads YAML or JSON: one document. Aliases are expanded and merge keys (`<<`) resolved. A key that stands
// twice in a map, a key that isn't plain text, and whatever passes the limits are kInvalidArgument, with the
// place. `file` is the name for positions.
base::Result<Node> read_yaml(std::string_view text, std::string file, const ReadLimits& limits = {});

// The same for one file of several: what is wrong goes to `problems`, keys that stand twice all at once; nullopt then.
std::optional<Node> read_yaml(std::string_view text, std::string file, const ReadLimits& limits, Problems& problems);

}  // namespace orchion::spec
