#include "core/pattern.h"

#include <fmt/core.h>
#include <re2/re2.h>

namespace orchion::core {

base::Result<> check_pattern(const std::string& text) {
  constexpr std::size_t kBytesMax = 4096;
  if (text.size() > kBytesMax)
    return base::fail(base::Code::kInvalidArgument, "the pattern is longer than 4096 bytes: use a shorter one");
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 pattern(text, options);
  if (pattern.ok()) return {};
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the pattern is not a regular expression ({}): put a backslash before characters that "
                                "are meant as they are",
                                pattern.error()));
}

}  // namespace orchion::core
