#include "node/logs/line_filter.h"

#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include "core/log_line.h"
#include "core/pattern.h"
#include "node/logs/gram_filter.h"

namespace orchion::node::logs {

// The expression, and which texts must be where it matches: `needed` combines the atoms by the expression's own and
// and or. Source: Cox, "Regular Expression Matching with a Trigram Index", https://swtch.com/~rsc/regexp/regexp4.html
struct LineFilter::Pattern {
  Pattern(const std::string& text, const re2::RE2::Options& options)
      : expression(text, options), needed(static_cast<int>(kGramBytes)) {
    int id = 0;
    needed.Add(text, options, &id);
    needed.Compile(&atoms);
  }

  bool may_match_in(std::string_view grams) const {
    std::vector<int> possible;
    for (std::size_t i = 0; i < atoms.size(); ++i)
      if (may_contain(grams, atoms[i])) possible.push_back(static_cast<int>(i));
    std::vector<int> matching;
    needed.AllPotentials(possible, &matching);
    return !matching.empty();
  }

  re2::RE2 expression;
  re2::FilteredRE2 needed;
  std::vector<std::string> atoms;
};

LineFilter::LineFilter() = default;
LineFilter::LineFilter(LineFilter&&) noexcept = default;
LineFilter& LineFilter::operator=(LineFilter&&) noexcept = default;
LineFilter::~LineFilter() = default;

base::Result<LineFilter> LineFilter::make(LineChoice choice) {
  LineFilter filter;
  if (!choice.grep.empty()) {
    const auto pattern = choice.fixed ? re2::RE2::QuoteMeta(choice.grep) : choice.grep;
    if (!choice.fixed) RETURN_IF_ERROR(core::check_pattern(pattern));
    re2::RE2::Options options;
    options.set_log_errors(false);
    filter.pattern_ = std::make_unique<Pattern>(pattern, options);
  }
  filter.choice_ = std::move(choice);
  return filter;
}

bool LineFilter::accepts(const LineView& line) const {
  if (choice_.since && line.time < *choice_.since) return false;
  if (choice_.until && line.time >= *choice_.until) return false;
  const re2::StringPiece text(line.text.data(), line.text.size());
  if (pattern_ && !re2::RE2::PartialMatch(text, pattern_->expression)) return false;
  if (choice_.level != v1::LOG_LEVEL_UNKNOWN && core::level_of(line.text) < choice_.level) return false;
  return choice_.fields.empty() || core::has_fields(line.text, choice_.fields);
}

bool LineFilter::may_be_in(const BlockEntry& entry, std::string_view grams) const {
  if (choice_.since && base::WallTime(base::Duration(entry.last_ns)) < *choice_.since) return false;
  if (choice_.until && base::WallTime(base::Duration(entry.first_ns)) >= *choice_.until) return false;
  return !pattern_ || pattern_->may_match_in(grams);
}

}  // namespace orchion::node::logs
