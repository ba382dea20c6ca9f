#include "cli/progress_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

using testing::ElementsAre;
using Mark = ProgressRow::Mark;

std::vector<std::string> lines(const std::vector<ProgressRow>& rows, ScreenSize size = {}) {
  return progress_lines(rows, size, Colours::kNone);
}

TEST(ProgressRows, StandBelowEachOther) {
  EXPECT_THAT(lines({{Mark::kDone, "db", "1/1 running"},
                     {Mark::kWorking, "backend", "0/2 preparing  3s"},
                     {Mark::kWaiting, "web", ""},
                     {Mark::kFailed, "job", "exit code 1"}}),
              ElementsAre("✔ db       1/1 running", "… backend  0/2 preparing  3s", "· web", "✖ job      exit code 1"));
  EXPECT_THAT(lines({}), ElementsAre());
}

TEST(ProgressRows, HaveColoursWhereThatIsWanted) {
  EXPECT_THAT(progress_lines({{Mark::kDone, "db", "runs"}}, {}, Colours::kAnsi),
              ElementsAre("\x1b[32m✔\x1b[0m db  runs"));
}

TEST(ProgressRows, AreNoWiderThanTheScreen) {
  EXPECT_THAT(lines({{Mark::kWorking, "web", "pulling an image"}}, {12, 24}), ElementsAre("… web  pul…"));
  EXPECT_THAT(lines({{Mark::kWorking, "a-very-long-name", "x"}}, {12, 24}), ElementsAre("… a-ver…  x"));
  EXPECT_THAT(lines({{Mark::kWorking, "web", "ÄÄÄÄÄÄÄÄ"}}, {12, 24}), ElementsAre("… web  ÄÄÄ…"));
  EXPECT_THAT(lines({{Mark::kWorking, "web", "ÄÄÄÄ"}}, {12, 24}), ElementsAre("… web  ÄÄÄÄ"));
  EXPECT_THAT(lines({{Mark::kWorking, "web", "x"}}, {1, 24}), ElementsAre("…"));
}

TEST(ProgressRows, NeverMoveTheCursor) {
  EXPECT_THAT(lines({{Mark::kWorking, "web", "a\nb\x1b[2J"}}), ElementsAre("… web  a b [2J"));
}

TEST(ProgressRows, LeaveOutWhatIsDoneWhereTheyDontFit) {
  const std::vector<ProgressRow> rows = {
      {Mark::kDone, "a", ""}, {Mark::kWorking, "b", ""}, {Mark::kDone, "c", ""}, {Mark::kWaiting, "d", ""}};
  EXPECT_THAT(lines(rows, {80, 5}), ElementsAre("… b", "✔ c", "· d", "  and 1 more"));
  EXPECT_THAT(lines(rows, {80, 4}), ElementsAre("… b", "· d", "  and 2 more"));
  EXPECT_THAT(lines(rows, {80, 1}), ElementsAre("… b", "  and 3 more"));
  EXPECT_EQ(lines(rows, {80, 6}).size(), 4u);
}

TEST(ProgressRows, AreDrawnInTheirPlace) {
  EXPECT_EQ(redraw(0, {"a", "b"}), "\ra\x1b[K\n\rb\x1b[K\n");
  EXPECT_EQ(redraw(2, {"a", "b"}), "\x1b[2A\ra\x1b[K\n\rb\x1b[K\n");
  EXPECT_EQ(redraw(3, {"a"}), "\x1b[3A\ra\x1b[K\n\x1b[J");
}

TEST(ProgressRows, SayHowLongItTook) {
  EXPECT_EQ(elapsed_text(7), "7s");
  EXPECT_EQ(elapsed_text(185), "3m 05s");
}

}  // namespace
}  // namespace orchion::cli
