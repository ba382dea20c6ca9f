#include "node/logs/line.h"

#include <gtest/gtest.h>

#include "node/logs/line_filter.h"

namespace orchion::node::logs {
namespace {

base::WallTime at(std::int64_t ns) {
  return base::WallTime(base::Duration(ns));
}

class LineAssemblerTest : public testing::Test {
 protected:
  void add_rest(OutputStream stream, std::string_view payload) {
    RecordHeader header;
    header.length = static_cast<std::uint32_t>(payload.size());
    header.stream = stream;
    header.attempt = 1;
    header.continues = 1;
    assembler_.add(Record{header, payload}, [this](const LineView& line) { lines_.push_back(Line::of(line)); });
  }
  void add(OutputStream stream, std::string_view payload, std::int64_t time_ns = 1, std::uint16_t attempt = 1) {
    RecordHeader header;
    header.length = static_cast<std::uint32_t>(payload.size());
    header.time_ns = time_ns;
    header.stream = stream;
    header.attempt = attempt;
    assembler_.add(Record{header, payload}, [this](const LineView& line) { lines_.push_back(Line::of(line)); });
  }
  void flush() {
    assembler_.flush([this](const LineView& line) { lines_.push_back(Line::of(line)); });
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> result;
    for (const auto& line : lines_) result.push_back(line.text);
    return result;
  }

  LineAssembler assembler_;
  std::vector<Line> lines_;
};

using Texts = std::vector<std::string>;
constexpr auto kOut = OutputStream::kOut;
constexpr auto kError = OutputStream::kError;

TEST_F(LineAssemblerTest, JoinsAndSplitsWithoutMixingStreams) {
  add(kOut, "one\ntwo\nthr", 1);
  add(kError, "err", 2);
  add(kOut, "ee\n\n", 3);
  add(kError, "or\n", 4);
  EXPECT_EQ(texts(), (Texts{"one", "two", "three", "", "error"}));
  EXPECT_EQ(lines_[2].time, at(3)) << "the time of a line is that of its end";
  EXPECT_EQ(lines_[4].time, at(4));
  EXPECT_EQ(lines_[4].stream, kError);
  flush();
  EXPECT_EQ(lines_.size(), 5u);
}

TEST_F(LineAssemblerTest, ALineWithoutItsBeginningIsPassedOver) {
  add_rest(kOut, "of a long");
  add_rest(kOut, " line\nwhole\nbeg");
  add_rest(kError, "end\n");
  add_rest(kOut, "un\n");
  EXPECT_EQ(texts(), (Texts{"whole", "begun"}));
}

TEST_F(LineAssemblerTest, DropsTheCarriageReturnOfATerminalOnly) {
  add(kOut, "a\r\nb\rc\n\r\n");
  add(kOut, "\x1b[31mred\x1b[0m\r");
  add(kOut, "\n");
  EXPECT_EQ(texts(), (Texts{"a", "b\rc", "", "\x1b[31mred\x1b[0m"}));
}

TEST_F(LineAssemblerTest, GivesTheUnfinishedLineWhenAnotherAttemptBegins) {
  add(kOut, "dying wor", 1, 1);
  add(kOut, "fresh\n", 2, 2);
  EXPECT_EQ(texts(), (Texts{"dying wor", "fresh"}));
  EXPECT_EQ(lines_[0].attempt, 1);
  EXPECT_EQ(lines_[1].attempt, 2);
}

TEST_F(LineAssemblerTest, SplitsLongLinesAtCharacters) {
  std::string text(kLineBytesMax - 1, 'x');
  text += "\xc3\xa4";  // its second byte would be one too many
  text += "rest";
  for (std::size_t i = 0; i < text.size(); i += 50'000) add(kOut, std::string_view(text).substr(i, 50'000));
  add(kOut, "\n");
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].text, std::string(kLineBytesMax - 1, 'x'));
  EXPECT_EQ(lines_[1].text, "\xc3\xa4rest");
}

TEST_F(LineAssemblerTest, KeepsLinesOfExactlyTheBoundWhole) {
  add(kOut, std::string(kLineBytesMax, 'x'));
  add(kOut, "\n");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].text.size(), kLineBytesMax);
}

TEST(Utf8, ReplacesWhatIsInvalid) {
  const std::string r = "\xef\xbf\xbd";
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "plain"},
      {"gr\xc3\xbc\xc3\x9f, \xe6\x97\xa5\xe6\x9c\xac, \xf0\x9f\x90\x99",
       "gr\xc3\xbc\xc3\x9f, \xe6\x97\xa5\xe6\x9c\xac, \xf0\x9f\x90\x99"},
      {"\xff", r},
      {"a\x80"
       "b",
       "a" + r + "b"},
      {"\xc3", r},
      {"\xe6\x97", r},  // cut off: one for the part
      {"\xe6\x97x", r + "x"},
      {"\xc0\xaf", r + r},          // overlong
      {"\xe0\x80\xaf", r + r + r},  // overlong
      {"\xed\xa0\x80", r + r + r},  // a surrogate
      {"\xf4\x90\x80\x80", r + r + r + r},
      {"\xf1\x80\x80\xe1\x80\xc2"
       "b",
       r + r + r + "b"},
      {std::string("a\0b", 3), std::string("a\0b", 3)},
  };
  for (const auto& [given, expected] : cases) EXPECT_EQ(to_utf8(given), expected) << testing::PrintToString(given);
}

TEST(LineFilter, ComparesTimesAndPatterns) {
  const auto filter = LineFilter::make({.since = at(10), .until = at(20), .grep = "err(or)?$"}).value();
  const auto accepts = [&](std::int64_t time, const char* text) { return filter.accepts({at(time), kOut, 1, text}); };
  EXPECT_TRUE(accepts(10, "an error"));
  EXPECT_TRUE(accepts(19, "err"));
  EXPECT_FALSE(accepts(9, "err"));
  EXPECT_FALSE(accepts(20, "err"));
  EXPECT_FALSE(accepts(15, "error!"));
}

TEST(LineFilter, RefusesWhatIsNoPattern) {
  for (const std::string& bad : {std::string("("), std::string("*"), std::string("\\1"), std::string(5000, 'a')}) {
    const auto filter = LineFilter::make({.grep = bad});
    ASSERT_FALSE(filter.has_value()) << bad;
    EXPECT_EQ(filter.error().code, base::Code::kInvalidArgument);
  }
}

TEST(LineFilter, TakesLinearTimeForPatternsThatBacktrackersFear) {
  const auto filter = LineFilter::make({.grep = "(a*)*(a|aa)+(a+)+$"}).value();
  // A backtracking engine would not finish this in the life of the universe.
  EXPECT_FALSE(filter.accepts({at(1), kOut, 1, std::string(50'000, 'a') + "b"}));
}

}  // namespace
}  // namespace orchion::node::logs
