#include "cli/move_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Mark = ProgressRow::Mark;

v1::PlannedMove move_of(const std::string& uid) {
  v1::PlannedMove move;
  move.set_stack("shop");
  move.set_slot("web." + uid);
  move.set_task_uid(uid);
  move.set_from("a");
  move.set_to("c");
  return move;
}

v1::Task task_of(const std::string& uid, const std::string& node) {
  v1::Task task;
  task.mutable_meta()->set_uid(uid);
  task.mutable_spec()->mutable_assignment()->set_node(node);
  task.mutable_status()->set_state(v1::RUNNING);
  return task;
}

v1::Task moving(const std::string& uid, bool begun) {
  auto task = task_of(uid, "a");
  task.mutable_spec()->mutable_move()->set_node("c");
  if (begun) task.mutable_spec()->mutable_move()->mutable_begun_at()->set_seconds(1);
  return task;
}

v1::Task successor(const std::string& of, const std::string& node, v1::TaskState state) {
  auto task = task_of(of + "-next", node);
  task.mutable_spec()->set_predecessor(of);
  task.mutable_status()->set_state(state);
  return task;
}

v1::Task going(v1::Task task) {
  task.mutable_meta()->mutable_deleted_at()->set_seconds(2);
  return task;
}

TEST(MoveProgress, GoesFromWaitingToMoved) {
  MoveProgress progress({move_of("1"), move_of("2")});
  progress.put(moving("1", true));
  progress.put(moving("2", false));
  progress.look();
  EXPECT_EQ(progress.rows()[0],
            (ProgressRow{Mark::kWorking, "shop/web.1", "from a to c: waits for its service to come to rest"}));
  EXPECT_EQ(progress.rows()[1], (ProgressRow{Mark::kWaiting, "shop/web.2", "waits for its turn"}));
  progress.put(successor("1", "c", v1::PREPARING));
  progress.look();
  EXPECT_EQ(progress.rows()[0].text, "from a to c: preparing");
  progress.put(successor("1", "c", v1::RUNNING));
  progress.put(going(moving("1", true)));
  progress.look();
  EXPECT_EQ(progress.rows()[0].text, "from a to c: the one on a stops");
  auto stopped = going(moving("1", true));
  stopped.mutable_status()->set_state(v1::STOPPED);
  progress.put(stopped);
  progress.look();
  EXPECT_EQ(progress.rows()[0], (ProgressRow{Mark::kDone, "shop/web.1", "moved from a to c"}));
  EXPECT_FALSE(progress.is_done());
  EXPECT_EQ(progress.moved(), 1U);
  // Gone before anybody looked.
  progress.put(successor("2", "c", v1::RUNNING));
  progress.remove_task("2");
  progress.look();
  EXPECT_TRUE(progress.is_done());
  EXPECT_EQ(progress.moved(), 2U);
  // Whatever becomes of it later.
  progress.remove_task("1-next");
  progress.look();
  EXPECT_EQ(progress.moved(), 2U);
  EXPECT_THAT(progress.failures(), IsEmpty());
}

TEST(MoveProgress, SaysWhyATaskStays) {
  MoveProgress progress({move_of("1"), move_of("2"), move_of("3")});
  auto stays = task_of("1", "a");
  stays.mutable_spec()->add_changes()->set_reason("Placed");
  auto& why = *stays.mutable_spec()->add_changes();
  why.set_reason("NotMoved");
  why.set_message("its check fails there: no answer");
  progress.put(stays);
  // Drained meanwhile, and made anew elsewhere.
  progress.put(going(moving("2", true)));
  progress.put(successor("2", "b", v1::RUNNING));
  // Its successor was given up with it.
  progress.put(going(moving("3", true)));
  progress.put(going(successor("3", "c", v1::RUNNING)));
  progress.look();
  EXPECT_TRUE(progress.is_done());
  EXPECT_EQ(progress.moved(), 0U);
  EXPECT_THAT(progress.failures(),
              ElementsAre("shop/web.1 did not move: it stays on a: its check fails there: no answer",
                          HasSubstr("stopped or replaced meanwhile"), HasSubstr("stopped or replaced meanwhile")));
}

}  // namespace
}  // namespace orchion::cli
