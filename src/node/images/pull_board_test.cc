#include "node/images/pull_board.h"

#include <gtest/gtest.h>

namespace orchion::node::images {
namespace {

TEST(PullBoard, ShowsWhatIsUnderWayAndHowItEnded) {
  PullBoard board;
  EXPECT_TRUE(board.look().empty());
  auto first = board.begin("a:1");
  auto second = board.begin("b:1");
  ASSERT_EQ(board.look().size(), 2u);
  EXPECT_EQ(board.look()[0].reference, "a:1");
  EXPECT_EQ(board.look()[0].total_bytes, 0u) << "not known yet";
  first->set(3, 10);
  EXPECT_EQ(board.look()[0].done_bytes, 3u);
  first.reset();
  const auto broken = board.look()[0];
  EXPECT_TRUE(broken.ended);
  EXPECT_EQ(broken.done_bytes, 3u) << "it broke off";
  second->set(1, 10);
  second->complete();
  second.reset();
  EXPECT_EQ(board.look()[1].done_bytes, 10u);
  EXPECT_NE(board.look()[0].number, board.look()[1].number);
}

TEST(PullBoard, MeasuresOnlyWhileSomebodyLooks) {
  PullBoard board;
  auto entry = board.begin("a:1");
  int measured = 0;
  entry->measure(5, [&measured] {
    ++measured;
    return std::uint64_t{7};
  });
  EXPECT_EQ(measured, 0);
  EXPECT_EQ(board.look()[0].done_bytes, 5u) << "never more than all of it";
  EXPECT_EQ(measured, 1);
  entry->complete();
  EXPECT_EQ(board.look()[0].done_bytes, 5u);
  EXPECT_EQ(measured, 1);
}

TEST(PullBoard, AnEntryMayOutliveIt) {
  auto board = std::make_unique<PullBoard>();
  auto entry = board->begin("a:1");
  board.reset();
  entry->set(1, 2);
}

}  // namespace
}  // namespace orchion::node::images
