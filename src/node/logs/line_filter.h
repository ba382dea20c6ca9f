#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "node/logs/line.h"
#include "node/logs/sealed_segment.h"
#include "v1/control.pb.h"

namespace orchion::node::logs {

struct LineChoice {
  std::optional<base::WallTime> since;         // captured then or later
  std::optional<base::WallTime> until;         // and before
  std::string grep;                            // anywhere in the line; empty: all
  bool fixed = false;                          // `grep` is text, not RE2's syntax
  v1::LogLevel level = v1::LOG_LEVEL_UNKNOWN;  // at least; unknown: all
  std::map<std::string, std::string> fields;   // of JSON lines: that have these values
};

// Which lines are wanted. Patterns are RE2's: no pattern takes more than linear time, whoever wrote it.
class LineFilter {
 public:
  // kInvalidArgument where `grep` is no regular expression.
  static base::Result<LineFilter> make(LineChoice choice);
  LineFilter(LineFilter&&) noexcept;
  LineFilter& operator=(LineFilter&&) noexcept;
  ~LineFilter();

  bool accepts(const LineView& line) const;

  // False: nothing that is wanted is in that block of a sealed segment. For a while that the filter lives.
  bool may_be_in(const BlockEntry& entry, std::string_view grams) const;

 private:
  struct Pattern;
  LineFilter();

  LineChoice choice_;
  std::unique_ptr<Pattern> pattern_;
};

}  // namespace orchion::node::logs
