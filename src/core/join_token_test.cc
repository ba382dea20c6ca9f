#include "core/join_token.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

const std::string kFingerprint(64, 'a');

TEST(JoinToken, ComesBackAsItWas) {
  const JoinToken token{"mfrggzdfmy234567", kFingerprint};
  EXPECT_EQ(to_text(token), "orj_mfrggzdfmy234567_" + kFingerprint);
  EXPECT_EQ(parse_join_token(to_text(token)).value(), token);
}

TEST(JoinToken, HalfACopyIsRefusedWithoutShowingIt) {
  for (const std::string& text :
       {std::string(), std::string("orj_"), std::string("orj__"), "orj_abc_" + kFingerprint.substr(1),
        "orj__" + kFingerprint, "abc_" + kFingerprint, "orj_ABC_" + kFingerprint, "orj_abc_" + kFingerprint + " "}) {
    const auto token = parse_join_token(text);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().code, base::Code::kInvalidArgument);
    EXPECT_EQ(token.error().message.find("abc"), std::string::npos);
    EXPECT_NE(token.error().message.find("orchion node invite"), std::string::npos);
  }
}

}  // namespace
}  // namespace orchion::core
