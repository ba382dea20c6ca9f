#include "base/nearest_word.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace orchion::base {
namespace {

TEST(NearestWord, IsASlipOrTwoAway) {
  const std::vector<std::string_view> known = {"scale", "stack", "ps", "logs", "events"};
  EXPECT_EQ(nearest_word("sacle", known), "scale") << "two neighbours swapped";
  EXPECT_EQ(nearest_word("scales", known), "scale");
  EXPECT_EQ(nearest_word("log", known), "logs");
  EXPECT_EQ(nearest_word("evnt", known), "") << "two slips are half of a short word";
  EXPECT_EQ(nearest_word("evnts", known), "events");
  EXPECT_EQ(nearest_word("restart", known), "");
  EXPECT_EQ(nearest_word("", known), "");
  EXPECT_EQ(nearest_word("ps", {}), "");
}

TEST(NearestWord, IsTheFirstOfEquallyNearOnes) {
  const std::vector<std::string_view> known = {"pull", "push"};
  EXPECT_EQ(nearest_word("puh", known), "push");
  EXPECT_EQ(nearest_word("pul", known), "pull");
  EXPECT_EQ(nearest_word("puxx", std::vector<std::string_view>{"puxa", "puxb"}), "puxa");
}

TEST(NearestWord, LongWordsAreNotCompared) {
  const std::string word(1'000'000, 'a');
  const std::vector<std::string_view> known = {word};
  EXPECT_EQ(nearest_word(word + "b", known), "");
}

}  // namespace
}  // namespace orchion::base
