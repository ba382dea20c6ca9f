#include "spec/traefik_rule.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

using base::Code;
using Matches = std::vector<TraefikMatch>;

constexpr std::size_t kRuleBytesMax = 8192;
constexpr int kDepthMax = 16;
constexpr std::size_t kMatchesMax = 64;

constexpr char kSupported[] = "write rules with Host(`…`), Path(`…`) and PathPrefix(`…`), &&, || and brackets";

base::Result<Matches> fail(const std::string& what) {
  return base::fail(Code::kInvalidArgument, fmt::format("{}: {}", what, kSupported));
}

// Recursive descent; each part is the list of the ways to fit it.
class RuleParser {
 public:
  explicit RuleParser(std::string_view rest) : rest_(rest) {}

  base::Result<Matches> run() {
    ASSIGN_OR_RETURN(auto matches, either(0));
    skip_blanks();
    if (!rest_.empty()) return fail(fmt::format("`{}` stands where the rule should end", rest_.substr(0, 20)));
    return matches;
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0) rest_.remove_prefix(1);
  }

  bool take(std::string_view sign) {
    skip_blanks();
    if (!rest_.starts_with(sign)) return false;
    rest_.remove_prefix(sign.size());
    return true;
  }

  base::Result<Matches> either(int depth) {
    ASSIGN_OR_RETURN(auto matches, both(depth));
    while (take("||")) {
      ASSIGN_OR_RETURN(const auto more, both(depth));
      for (const auto& match : more)
        if (std::ranges::find(matches, match) == matches.end()) matches.push_back(match);
      if (matches.size() > kMatchesMax) return too_many();
    }
    return matches;
  }

  base::Result<Matches> both(int depth) {
    ASSIGN_OR_RETURN(auto matches, one(depth));
    while (take("&&")) {
      ASSIGN_OR_RETURN(const auto more, one(depth));
      Matches joined;
      for (const auto& left : matches)
        for (const auto& right : more) {
          if ((!left.host.empty() && !right.host.empty()) || (!left.path.empty() && !right.path.empty()))
            return fail("two hosts or two paths are joined by `&&`, which nothing fits");
          TraefikMatch match{left.host.empty() ? right.host : left.host, left.path.empty() ? right.path : left.path,
                             left.exact || right.exact};
          if (std::ranges::find(joined, match) == joined.end()) joined.push_back(std::move(match));
          if (joined.size() > kMatchesMax) return too_many();
        }
      matches = std::move(joined);
    }
    return matches;
  }

  static base::Result<Matches> too_many() {
    return base::fail(
        Code::kInvalidArgument,
        fmt::format("the rule has more than {} ways to fit it: split it into several routers", kMatchesMax));
  }

  base::Result<Matches> one(int depth) {
    if (depth > kDepthMax) return fail(fmt::format("the rule has more than {} brackets within each other", kDepthMax));
    if (take("(")) {
      ASSIGN_OR_RETURN(auto matches, either(depth + 1));
      if (!take(")")) return fail("a bracket isn't closed");
      return matches;
    }
    if (take("!")) return fail("`!` isn't supported");
    std::size_t length = 0;
    while (length < rest_.size() && std::isalpha(static_cast<unsigned char>(rest_[length])) != 0) ++length;
    const auto word = rest_.substr(0, length);
    if (word.empty())
      return fail(rest_.empty() ? std::string("the rule ends too early")
                                : fmt::format("`{}` is no matcher", rest_.substr(0, 20)));
    constexpr std::array<std::string_view, 3> kMatchers = {"Host", "Path", "PathPrefix"};
    if (std::ranges::find(kMatchers, word) == kMatchers.end())
      return fail(fmt::format("the matcher `{}` isn't supported", word.substr(0, 40)));
    rest_.remove_prefix(length);
    return arguments(word);
  }

  base::Result<Matches> arguments(std::string_view matcher) {
    if (!take("(")) return fail(fmt::format("`{}` has no brackets", matcher));
    Matches matches;
    do {
      skip_blanks();
      const char quote = rest_.empty() ? '\0' : rest_.front();
      const auto end = quote == '`' || quote == '"' ? rest_.find(quote, 1) : std::string_view::npos;
      if (end == std::string_view::npos) return fail(fmt::format("what `{}` asks for isn't in backquotes", matcher));
      ASSIGN_OR_RETURN(auto match, match_of(matcher, std::string(rest_.substr(1, end - 1))));
      rest_.remove_prefix(end + 1);
      matches.push_back(std::move(match));
      if (matches.size() > kMatchesMax) return too_many();
    } while (take(","));
    if (!take(")")) return fail("a bracket isn't closed");
    return matches;
  }

  static base::Result<TraefikMatch> match_of(std::string_view matcher, std::string text) {
    TraefikMatch match;
    if (text.empty())
      return base::fail(Code::kInvalidArgument, fmt::format("`{}` asks for nothing: {}", matcher, kSupported));
    if (matcher == "Host") {
      std::ranges::transform(text, text.begin(),
                             [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
      match.host = std::move(text);
      return match;
    }
    if (text.find_first_of("{}") != std::string::npos)
      return base::fail(Code::kInvalidArgument,
                        fmt::format("patterns as in `{}` aren't supported: {}", text, kSupported));
    match.exact = matcher == "Path";
    match.path = std::move(text);
    return match;
  }

  std::string_view rest_;
};

}  // namespace

base::Result<std::vector<TraefikMatch>> parse_traefik_rule(std::string_view rule) {
  if (rule.size() > kRuleBytesMax)
    return base::fail(Code::kInvalidArgument, fmt::format("the rule has more than {} characters", kRuleBytesMax));
  return RuleParser(rule).run();
}

}  // namespace orchion::spec
