#include "node/logs/line_filter.h"

#include <re2/re2.h>

#include "core/pattern.h"

namespace orchion::node::logs {

struct LineFilter::Pattern {
  Pattern(const std::string& text, const re2::RE2::Options& options) : expression(text, options) {}
  re2::RE2 expression;
};

LineFilter::LineFilter() = default;
LineFilter::LineFilter(LineFilter&&) noexcept = default;
LineFilter& LineFilter::operator=(LineFilter&&) noexcept = default;
LineFilter::~LineFilter() = default;

base::Result<LineFilter> LineFilter::make(std::optional<base::WallTime> since, std::optional<base::WallTime> until,
                                          const std::string& grep) {
  LineFilter filter;
  filter.since_ = since;
  filter.until_ = until;
  if (grep.empty()) return filter;
  RETURN_IF_ERROR(core::check_pattern(grep));
  re2::RE2::Options options;
  options.set_log_errors(false);
  filter.pattern_ = std::make_unique<Pattern>(grep, options);
  return filter;
}

bool LineFilter::accepts(const Line& line) const {
  if (since_ && line.time < *since_) return false;
  if (until_ && line.time >= *until_) return false;
  return !pattern_ || re2::RE2::PartialMatch(line.text, pattern_->expression);
}

}  // namespace orchion::node::logs
