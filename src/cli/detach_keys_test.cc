#include "cli/detach_keys.h"

#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

constexpr char kP = 'p' & 0x1f;
constexpr char kQ = 'q' & 0x1f;

class DetachKeysTest : public testing::Test {
 protected:
  std::string take(std::string_view bytes) { return keys_.take(bytes, left_); }

  DetachKeys keys_ = *DetachKeys::parse("ctrl-p,ctrl-q");
  bool left_ = false;
};

TEST_F(DetachKeysTest, OtherBytesPass) {
  EXPECT_EQ(take("ls\n"), "ls\n");
  EXPECT_FALSE(left_);
}

TEST_F(DetachKeysTest, TheKeysLeaveAlsoInTwoPieces) {
  EXPECT_EQ(take(std::string("a") + kP), "a");
  EXPECT_FALSE(left_);
  EXPECT_EQ(take(std::string(1, kQ) + "dropped"), "");
  EXPECT_TRUE(left_);
}

TEST_F(DetachKeysTest, ABeginningThatGoesOnOtherwiseIsGivenBack) {
  EXPECT_EQ(take({&kP, 1}), "");
  EXPECT_EQ(take("x"), std::string(1, kP) + "x");
  EXPECT_EQ(take(std::string(2, kP)), std::string(1, kP)) << "the second may begin the keys";
  EXPECT_EQ(take({&kQ, 1}), "");
  EXPECT_TRUE(left_);
}

TEST(DetachKeysText, IsReadOrRefused) {
  bool left = false;
  auto letter = DetachKeys::parse("a,ctrl-]");
  ASSERT_TRUE(letter.has_value());
  EXPECT_EQ(letter->take("a\x1d", left), "");
  EXPECT_TRUE(left);
  left = false;
  auto none = DetachKeys::parse("");
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(none->take(std::string(1, kP) + kQ, left).size(), 2u);
  EXPECT_FALSE(left);
  for (const char* wrong : {"ctrl-", "ctrl-1", "ctrl-p,,q", "pq", "alt-p"}) {
    const auto parsed = DetachKeys::parse(wrong);
    ASSERT_FALSE(parsed.has_value()) << wrong;
    EXPECT_NE(parsed.error().message.find("is no key"), std::string::npos);
  }
}

}  // namespace
}  // namespace orchion::cli
