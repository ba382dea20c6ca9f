#include "node/logs/line_filter.h"

#include <fmt/core.h>
#include <re2/re2.h>

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
  constexpr std::size_t kPatternBytesMax = 4096;
  LineFilter filter;
  filter.since_ = since;
  filter.until_ = until;
  if (grep.empty()) return filter;
  if (grep.size() > kPatternBytesMax)
    return base::fail(base::Code::kInvalidArgument, "the pattern is longer than 4096 bytes: use a shorter one");
  re2::RE2::Options options;
  options.set_log_errors(false);
  filter.pattern_ = std::make_unique<Pattern>(grep, options);
  if (const auto& expression = filter.pattern_->expression; !expression.ok())
    return base::fail(
        base::Code::kInvalidArgument,
        fmt::format("the pattern is not a regular expression ({}): put a backslash before characters that "
                    "are meant as they are",
                    expression.error()));
  return filter;
}

bool LineFilter::accepts(const Line& line) const {
  if (since_ && line.time < *since_) return false;
  if (until_ && line.time >= *until_) return false;
  return !pattern_ || re2::RE2::PartialMatch(line.text, pattern_->expression);
}

}  // namespace orchion::node::logs
