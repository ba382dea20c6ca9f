#include "core/task_changes.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

base::WallTime at(int second) {
  return base::WallTime(std::chrono::seconds(second));
}

v1::TaskChange change_at(int second, std::string reason, v1::TaskState state = v1::RUNNING) {
  v1::TaskChange change;
  change.mutable_time()->set_seconds(second);
  change.set_state(state);
  change.set_reason(std::move(reason));
  return change;
}

v1::Task placed_task() {
  v1::Task task;
  task.mutable_meta()->set_name("web.1.k3f9qa");
  task.mutable_meta()->set_stack("shop");
  task.mutable_meta()->set_uid("u1");
  task.mutable_spec()->set_service("web");
  task.mutable_spec()->set_slot(1);
  note_decision(task, {"Created", "", "user admin"}, at(10));
  task.mutable_spec()->mutable_assignment()->set_node("nas");
  note_decision(task, {"Placed", "", "controller services"}, at(10));
  return task;
}

std::vector<std::string> reasons(const TaskChanges& changes) {
  std::vector<std::string> result;
  for (const auto& change : changes) result.push_back(change.reason());
  return result;
}

TEST(TaskChanges, KeepTheFirstAndTheNewestAndCountTheRest) {
  TaskChanges changes;
  for (int i = 0; i < 1000; ++i) append_change(changes, change_at(i, "R" + std::to_string(i)));
  ASSERT_EQ(changes.size(), kTaskChangesMax);
  EXPECT_EQ(changes[0].reason(), "R0");
  EXPECT_EQ(changes[kFirstTaskChangesKept - 1].reason(), "R3");
  EXPECT_EQ(changes[kFirstTaskChangesKept].reason(), "R972");
  EXPECT_EQ(changes[kFirstTaskChangesKept].left_out(), 968);
  EXPECT_EQ(changes[kTaskChangesMax - 1].reason(), "R999");
  std::uint32_t all = 0;
  for (const auto& change : changes) all += 1 + change.left_out();
  EXPECT_EQ(all, 1000);
}

TEST(TaskChanges, AsManyAsFitAreAllKept) {
  TaskChanges changes;
  for (int i = 0; i < kTaskChangesMax; ++i) append_change(changes, change_at(i, "R"));
  for (const auto& change : changes) EXPECT_EQ(change.left_out(), 0);
  EXPECT_EQ(changes.size(), kTaskChangesMax);
}

TEST(TaskChanges, LongMessagesAreCutBetweenCharacters) {
  TaskChanges changes;
  auto change = change_at(1, "R");
  for (int i = 0; i < 200; ++i) *change.mutable_message() += "x\xc3\xa9";
  append_change(changes, change);
  EXPECT_LE(changes[0].message().size(), kChangeMessageMax + 3);
  EXPECT_TRUE(changes[0].message().ends_with("x\xc3\xa9…") || changes[0].message().ends_with("x…"));
  EXPECT_FALSE(changes[0].SerializeAsString().empty()) << "text that isn't UTF-8 wouldn't go into a message";
}

TEST(TaskChanges, ADecisionCarriesWhatTheTaskIs) {
  auto task = placed_task();
  task.mutable_status()->set_state(v1::RUNNING);
  task.mutable_status()->set_attempt(3);
  note_decision(task, {"Drained", "node nas is drained", "user admin"}, at(20));
  const auto& changes = task.spec().changes();
  ASSERT_EQ(changes.size(), 3);
  EXPECT_EQ(changes[0].state(), v1::PENDING);
  EXPECT_EQ(changes[1].state(), v1::ASSIGNED);
  EXPECT_EQ(changes[2].state(), v1::RUNNING);
  EXPECT_EQ(changes[2].attempt(), 3);
  EXPECT_EQ(changes[2].message(), "node nas is drained");
  EXPECT_EQ(changes[2].actor(), "user admin");
  EXPECT_EQ(changes[2].time().seconds(), 20);
}

TEST(TaskChanges, BothHalvesComeAsOneInTheOrderOfTime) {
  auto task = placed_task();
  append_change(*task.mutable_status()->mutable_changes(), change_at(11, "Preparing", v1::PREPARING));
  append_change(*task.mutable_status()->mutable_changes(), change_at(12, "Running"));
  append_change(*task.mutable_status()->mutable_changes(), change_at(20, "Stopping", v1::STOPPING));
  note_decision(task, {"ScaledDown", "", "user admin"}, at(20));
  const auto all = all_changes(task);
  EXPECT_EQ(reasons(all),
            (std::vector<std::string>{"Created", "Placed", "Preparing", "Running", "ScaledDown", "Stopping"}));
  EXPECT_EQ(all[0].node(), "") << "it had no place yet";
  EXPECT_EQ(all[1].node(), "nas");
  EXPECT_EQ(all[1].actor(), "controller services");
  EXPECT_EQ(all[2].node(), "nas");
  EXPECT_EQ(all[2].actor(), "agent nas");
}

TEST(TaskChanges, EachHalfKeepsItsOrderWhereClocksDisagree) {
  auto task = placed_task();
  append_change(*task.mutable_status()->mutable_changes(), change_at(3, "Preparing"));
  append_change(*task.mutable_status()->mutable_changes(), change_at(1, "Running"));
  EXPECT_EQ(reasons(all_changes(task)), (std::vector<std::string>{"Preparing", "Running", "Created", "Placed"}));
}

TEST(TaskChanges, ARecordTellsTheWholeLife) {
  auto task = placed_task();
  append_change(*task.mutable_status()->mutable_changes(), change_at(12, "Running"));
  const auto record = make_task_record(task, {"Removed", "nothing of it is left", "agent nas"}, at(30));
  EXPECT_EQ(record.meta().name(), "u1");
  EXPECT_EQ(record.meta().uid(), "u1");
  EXPECT_EQ(record.meta().stack(), "shop");
  EXPECT_EQ(record.meta().created_at().seconds(), 30);
  EXPECT_EQ(record.task(), "web.1.k3f9qa");
  EXPECT_EQ(record.slot(), "web.1");
  EXPECT_EQ(record.service(), "web");
  EXPECT_EQ(record.node(), "nas");
  EXPECT_EQ(reasons(record.changes()), (std::vector<std::string>{"Created", "Placed", "Running", "Removed"}));
  EXPECT_EQ(record.changes(3).actor(), "agent nas");
}

TEST(TaskChanges, WhoNobodyAskedForIsNoUser) {
  EXPECT_EQ(user_actor("admin"), "user admin");
  EXPECT_EQ(user_actor(""), "");
  EXPECT_EQ(controller_actor("services"), "controller services");
}

}  // namespace
}  // namespace orchion::core
