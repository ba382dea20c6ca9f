#include "spec/traefik_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace orchion::spec {

void PrintTo(const TraefikMatch& match, std::ostream* out) {
  *out << match.host << " " << match.path << (match.exact ? "!" : "");
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Match = TraefikMatch;

std::vector<Match> parsed(std::string_view rule) {
  auto matches = parse_traefik_rule(rule);
  EXPECT_TRUE(matches) << rule << ": " << matches.error().message;
  return matches.value_or(std::vector<Match>{});
}

TEST(TraefikRule, HostsAndPaths) {
  EXPECT_THAT(parsed("Host(`a.test`)"), ElementsAre(Match{"a.test", "", false}));
  EXPECT_THAT(parsed("Host(\"A.test\")"), ElementsAre(Match{"a.test", "", false}));
  EXPECT_THAT(parsed("PathPrefix(`/api`)"), ElementsAre(Match{"", "/api", false}));
  EXPECT_THAT(parsed(" Host(`a.test`)&&Path(`/Api`) "), ElementsAre(Match{"a.test", "/Api", true}));
  EXPECT_THAT(parsed("Host(`a.test`, `b.test`)"), ElementsAre(Match{"a.test", "", false}, Match{"b.test", "", false}));
}

TEST(TraefikRule, AndBindsMoreThanOr) {
  EXPECT_THAT(parsed("Host(`a`) || Host(`b`) && Path(`/p`)"),
              ElementsAre(Match{"a", "", false}, Match{"b", "/p", true}));
  EXPECT_THAT(
      parsed("(Host(`a`) || Host(`b`)) && (PathPrefix(`/p`) || Path(`/q`))"),
      ElementsAre(Match{"a", "/p", false}, Match{"a", "/q", true}, Match{"b", "/p", false}, Match{"b", "/q", true}));
  EXPECT_THAT(parsed("Host(`a`) || Host(`a`)"), ElementsAre(Match{"a", "", false}));
}

TEST(TraefikRule, WhatIsNotUnderstoodIsSaid) {
  const auto error = [](std::string_view rule) {
    const auto matches = parse_traefik_rule(rule);
    EXPECT_FALSE(matches) << rule;
    return matches ? std::string() : matches.error().message;
  };
  EXPECT_THAT(error("HostRegexp(`a`)"), HasSubstr("the matcher `HostRegexp` isn't supported: write rules with Host"));
  EXPECT_THAT(error("!Host(`a`)"), HasSubstr("`!` isn't supported"));
  EXPECT_THAT(error("Host(`a`) && Host(`b`)"), HasSubstr("which nothing fits"));
  EXPECT_THAT(error("Path(`/{name:.*}`)"), HasSubstr("patterns"));
  EXPECT_THAT(error("Host(``)"), HasSubstr("asks for nothing"));
  EXPECT_THAT(error("Host(a)"), HasSubstr("backquotes"));
  EXPECT_THAT(error("Host(`a`"), HasSubstr("isn't closed"));
  EXPECT_THAT(error("(Host(`a`)"), HasSubstr("isn't closed"));
  EXPECT_THAT(error("Host(`a`))"), HasSubstr("where the rule should end"));
  EXPECT_THAT(error("Host(`a`) ||"), HasSubstr("ends too early"));
  EXPECT_THAT(error(""), HasSubstr("ends too early"));
  EXPECT_THAT(error("Host"), HasSubstr("no brackets"));
}

TEST(TraefikRule, NothingGrowsWithoutBounds) {
  EXPECT_FALSE(parse_traefik_rule(std::string(100'000, '(')));
  EXPECT_FALSE(parse_traefik_rule(std::string(50, '(') + "Host(`a`)" + std::string(50, ')')));
  std::string many = "(Host(`h`)";
  for (int i = 0; i < 60; ++i) many += "||Host(`h" + std::to_string(i) + "`)";
  EXPECT_TRUE(parse_traefik_rule(many + ")"));
  EXPECT_FALSE(parse_traefik_rule(many + ")&&(Path(`/a`)||Path(`/b`))"));
}

// A random rule, written from what it means, is read as that.
TEST(TraefikRule, WhatIsWrittenIsRead) {
  auto random = base::Random(11);
  for (int round = 0; round < 2000; ++round) {
    const auto blanks = [&] { return std::string(random.below(3), ' '); };
    std::vector<Match> wanted;
    std::string rule;
    for (auto i = 1 + random.below(4); i > 0; --i) {
      Match match;
      const auto kind = random.below(3);
      if (kind != 0) match.host = "h" + std::to_string(random.below(100)) + ".test";
      if (kind != 1) match.path = "/" + random.text(random.below(5));
      if (kind != 1) match.exact = random.below(2) == 0;
      std::string part = match.host.empty() ? "" : "Host(" + blanks() + "`" + match.host + "`" + blanks() + ")";
      if (!match.host.empty() && !match.path.empty()) part += blanks() + "&&" + blanks();
      if (!match.path.empty()) part += (match.exact ? "Path(`" : "PathPrefix(`") + match.path + "`)";
      for (auto brackets = random.below(3); brackets > 0; --brackets) part = "(" + blanks() + part + blanks() + ")";
      rule += (rule.empty() ? "" : "||") + blanks() + part + blanks();
      if (std::ranges::find(wanted, match) == wanted.end()) wanted.push_back(match);
    }
    ASSERT_EQ(parsed(rule), wanted) << rule;
  }
}

// Whatever comes, it is read or refused.
TEST(TraefikRule, NoiseIsReadOrRefused) {
  constexpr std::string_view kPieces[] = {
      "Host", "Path", "PathPrefix", "(", ")",  "`", "`a`",  "&&",
      "||",   "!",    ",",          " ", "\"", "/", "\xff", std::string_view("\0", 1)};
  auto random = base::Random(12);
  int read = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string rule;
    for (auto i = random.below(12); i > 0; --i) rule += kPieces[random.below(std::size(kPieces))];
    const auto matches = parse_traefik_rule(rule);
    read += matches.has_value();
    if (!matches) {
      ASSERT_FALSE(matches.error().message.empty());
    }
  }
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace orchion::spec
