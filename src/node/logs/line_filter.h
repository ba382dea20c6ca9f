#pragma once

#include <memory>
#include <optional>
#include <string>

#include "node/logs/line.h"

namespace orchion::node::logs {

// Which lines are wanted. Patterns are RE2's: no pattern takes more than linear time, whoever wrote it.
class LineFilter {
 public:
  // kInvalidArgument where `grep` is no regular expression; empty: all lines.
  static base::Result<LineFilter> make(std::optional<base::WallTime> since, std::optional<base::WallTime> until,
                                       const std::string& grep);
  LineFilter(LineFilter&&) noexcept;
  LineFilter& operator=(LineFilter&&) noexcept;
  ~LineFilter();

  bool accepts(const Line& line) const;

 private:
  struct Pattern;
  LineFilter();

  std::optional<base::WallTime> since_;
  std::optional<base::WallTime> until_;
  std::unique_ptr<Pattern> pattern_;
};

}  // namespace orchion::node::logs
