#include "spec/interpolation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spec/env_file.h"

namespace orchion::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::optional<std::string> fixed_lookup(const std::string& name) {
  static const Variables kVariables = {{"SET", "value"}, {"EMPTY", ""}, {"OTHER", "o"}};
  const auto it = kVariables.find(name);
  return it == kVariables.end() ? std::nullopt : std::optional(it->second);
}

std::string filled(std::string_view text) {
  const auto result = interpolate(text, fixed_lookup);
  return result ? result->text : "error: " + result.error().message;
}

struct Case {
  std::string_view text;
  std::string_view expected;
};

TEST(Interpolation, Forms) {
  constexpr Case kCases[] = {
      {"plain", "plain"},
      {"$SET-x", "value-x"},
      {"a${SET}b", "avalueb"},
      {"$$SET $${SET}", "$SET ${SET}"},
      {"$UNSET|${UNSET}", "|"},
      {"${SET:-d}", "value"},
      {"${EMPTY:-d}", "d"},
      {"${EMPTY-d}", ""},
      {"${UNSET-d}", "d"},
      {"${UNSET:-}", ""},
      {"${SET:+r}", "r"},
      {"${EMPTY:+r}", ""},
      {"${EMPTY+r}", "r"},
      {"${UNSET+r}", ""},
      {"${SET:?needed}", "value"},
      {"${EMPTY?needed}", ""},
      {"${UNSET:-${OTHER}}", "o"},
      {"${UNSET:-a${EMPTY:-${SET}}b}", "avalueb"},
      {"${UNSET:-{\"a\": {}}}", "{\"a\": {}}"},
      {"${SET:-${UNSET:?never asked}}", "value"},
      {"${UNSET:-a:-b?c}", "a:-b?c"},
      {"${UNSET:-$$x}", "$x"},
      {"5$ and $5 and $", "5$ and $5 and $"},
      {"http://host:${UNSET:-80}/", "http://host:80/"},
  };
  for (const auto& [text, expected] : kCases) EXPECT_EQ(filled(text), expected) << text;
}

TEST(Interpolation, Errors) {
  EXPECT_EQ(filled("${UNSET:?a database}"),
            "error: the variable UNSET is required, a database: set it in the environment or in .env");
  EXPECT_THAT(filled("${EMPTY:?}"), HasSubstr("EMPTY is required: set it"));
  for (const auto* broken : {"${", "${}", "${SET", "${5}", "${SET:}", "${SET:=x}", "${SET!}", "${UNSET:-x", "${ SET}"})
    EXPECT_THAT(filled(broken), HasSubstr("isn't a whole variable")) << broken;
}

TEST(Interpolation, TellsWhatIsUnset) {
  const auto result = interpolate("$A ${B:-x} ${SET} ${C:+${D}} ${SET:-$E}", fixed_lookup);
  ASSERT_TRUE(result);
  EXPECT_THAT(result->unset, ElementsAre("A"));
}

TEST(Interpolation, IsBounded) {
  const Lookup big = [](const std::string&) { return std::string(1000, 'x'); };
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "$A";
  EXPECT_THAT(interpolate(text, big).error().message, HasSubstr("too long"));
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "${U:-";
  EXPECT_THAT(interpolate(nested, fixed_lookup).error().message, HasSubstr("nested too deep"));
}

std::string parsed(std::string_view text, EnvFormat format = EnvFormat::kCompose) {
  const auto variables = parse_env_file(text, "f.env", fixed_lookup, format);
  if (!variables) return "error: " + variables.error().message;
  std::string out;
  for (const auto& [name, value] : *variables) out += name + "=" + value + "|";
  return out;
}

TEST(EnvFile, AsCompose) {
  constexpr Case kCases[] = {
      {"A=1\nB = two words  \n", "A=1|B=two words|"},
      {"\xEF\xBB\xBF"
       "A=1",
       "A=1|"},
      {"# note\n\n  export A=1 # note\nB=a#b\nC=#fff\nD= # none\n", "A=1|B=a#b|C=#fff|D=|"},
      {"A: yaml\r\nB=dos\r\n", "A=yaml|B=dos|"},
      {"A='$SET \\n it\\'s # kept'", "A=$SET \\n it's # kept|"},
      {"A=\"$SET\\n\\\"q\\\" \\$SET\" # note", "A=value\n\"q\" $SET|"},
      {"A=\"two\nlines\"\nB=2", "A=two\nlines|B=2|"},
      {"A=1\nB=${A}-${UNSET:-d}\nA=3", "A=3|B=1-d|"},
      {"SET=mine\nB=$SET", "SET=mine|B=value|"},
      {"SET\nUNSET\nexport SET\n", "SET=value|"},
      {"A=", "A=|"},
      {"A=x=y", "A=x=y|"},
      {"A.b-c[0]=1", "A.b-c[0]=1|"},
      {"A='$$'\nB=$$x", "A=$$|B=$x|"},
  };
  for (const auto& [text, expected] : kCases) EXPECT_EQ(parsed(text), expected) << text;
}

TEST(EnvFile, Raw) {
  EXPECT_EQ(parsed("A='$SET' # x\n#no\nSET\nB=\"\"\r\n", EnvFormat::kRaw), "A='$SET' # x|SET=value|B=\"\"|");
}

TEST(EnvFile, Errors) {
  EXPECT_EQ(parsed("A=1\n\nB=\"open\nmore"), "error: f.env:3: the value of B has no closing quote: add it");
  EXPECT_THAT(parsed("=1"), HasSubstr("f.env:1: `=` can't stand in the name"));
  EXPECT_THAT(parsed("A B=1"), HasSubstr("there must be a `=` after the name A"));
  EXPECT_THAT(parsed("A='x'y"), HasSubstr("something follows the closing quote of A"));
  EXPECT_THAT(parsed("A=1\nB=${X:?why}"), HasSubstr("f.env:2: the variable X is required"));
}

}  // namespace
}  // namespace orchion::spec
