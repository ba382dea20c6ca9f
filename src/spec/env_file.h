#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "spec/interpolation.h"

namespace orchion::spec {

struct EnvVariable {
  std::string name;
  std::string value;

  bool operator==(const EnvVariable&) const = default;
};

enum class EnvFormat {
  kCompose,  // quotes, escapes, comments and variables
  kRaw,      // NAME=VALUE, the value to the end of the line as it is
};

// Reads a `.env` or `env_file` as Compose does: `export NAME=value`, `NAME: value`, comments, single quotes
// (literal), double quotes (escapes and variables, over several lines), plain values (variables). A name
// alone is looked up and left out where it isn't set. Later lines win, at the place of the first. Variables
// are asked from `lookup` first, then from the lines above. kInvalidArgument names `file` and the line.
base::Result<std::vector<EnvVariable>> parse_env_file(std::string_view text, const std::string& file,
                                                      const Lookup& lookup, EnvFormat format = EnvFormat::kCompose);

}  // namespace orchion::spec
