#include "node/logs/gram_filter.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace orchion::node::logs {
namespace {

std::string grams_of(std::string_view text) {
  GramCollector collector;
  collector.add(OutputStream::kOut, text);
  return collector.take();
}

TEST(GramFilter, TellsWhatIsNotThere) {
  const auto grams = grams_of("GET /api/items id=66485b46\nconnection refused\n");
  EXPECT_TRUE(may_contain(grams, "get /API"));
  EXPECT_TRUE(may_contain(grams, "id=66485b46"));
  EXPECT_TRUE(may_contain(grams, "ref")) << "too short to tell";
  EXPECT_TRUE(may_contain(grams, "caf\xc3\xa9")) << "letters beyond ASCII tell nothing";
  EXPECT_FALSE(may_contain(grams, "timeout"));
  EXPECT_FALSE(may_contain(grams, "5b46connection")) << "lines end where they end";
  EXPECT_TRUE(may_contain("", "anything"));
}

TEST(GramFilter, JoinsThePiecesOfAStream) {
  GramCollector collector;
  collector.add(OutputStream::kOut, "half a wo");
  collector.add(OutputStream::kError, "xyz");
  collector.add(OutputStream::kOut, "rd\n");
  const auto grams = collector.take();
  EXPECT_TRUE(may_contain(grams, "word"));
  EXPECT_FALSE(may_contain(grams, "woxyz"));
  EXPECT_FALSE(may_contain(collector.take(), "word")) << "begun anew";
}

TEST(GramFilter, GrowsWithWhatItHolds) {
  EXPECT_LE(grams_of("a short line\n").size(), 64u);
  base::Random random(3);
  std::string text;
  for (int line = 0; line < 2500; ++line) text += "request id=" + random.text(16) + " status=200\n";
  const auto grams = grams_of(text);
  EXPECT_GT(grams.size(), 8000u);
  EXPECT_LE(grams.size(), 32u << 10);
  // None is ever missed, and few that aren't there are taken for possible.
  for (std::size_t at = 0; at + 12 < text.size(); at += 997) {
    const auto piece = text.substr(at, 12);
    if (piece.find('\n') == std::string::npos) {
      EXPECT_TRUE(may_contain(grams, piece)) << piece;
    }
  }
  int wrong = 0;
  for (int i = 0; i < 1000; ++i) wrong += may_contain(grams, random.text(12)) ? 1 : 0;
  EXPECT_LT(wrong, 20);
}

TEST(GramFilter, GivesUpOnNoise) {
  base::Random random(4);
  std::string noise;
  for (int i = 0; i < 2 << 20; ++i) noise += static_cast<char>(random.below(256));
  EXPECT_TRUE(grams_of(noise).empty());
}

}  // namespace
}  // namespace orchion::node::logs
