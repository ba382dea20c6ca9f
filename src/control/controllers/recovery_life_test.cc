// Tasks that fail are replaced, and move, with all controllers running.

#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class RecoveryLife : public ClusterFixture {
 protected:
  void apply_web(
      const std::string& tag, std::uint32_t replicas, v1::Recovery::Action action,
      const std::function<void(v1::ServiceSpec&)>& more = [](v1::ServiceSpec&) {}) {
    auto change = [=](v1::ServiceSpec& spec) {
      spec.mutable_recovery()->set_action(action);
      more(spec);
    };
    apply("shop", make_stack({{"web", "app:" + tag, replicas, change}}));
  }

  std::string node_of_web() const { return tasks("web").front()->spec().assignment().node(); }

  std::vector<std::string> messages(const std::string& reason) const {
    std::vector<std::string> found;
    for (const auto& [name, event] : view().events().all())
      if (event->reason() == reason) found.push_back(event->message());
    return found;
  }
};

TEST_F(RecoveryLife, WhatIsToMoveGoesToAnotherNode) {
  add_node("a");
  add_node("b");
  apply_web("picky", 1, v1::Recovery::MOVE);
  bad_nodes = {"a"};
  settle();
  advance(seconds(2));
  ASSERT_THAT(running("web"), SizeIs(1));
  EXPECT_EQ(node_of_web(), "b");
  bad_nodes = {"b"};
  change_node("b", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  settle();
  EXPECT_EQ(node_of_web(), "a") << "what is drained is left, whatever was avoided";
}

TEST_F(RecoveryLife, WhereNoOtherNodeFitsItStaysAndSaysSo) {
  add_node("a");
  apply_web("fail", 1, v1::Recovery::MOVE);
  settle();
  advance(seconds(60));
  EXPECT_THAT(messages("TaskNotMoved"), Each(HasSubstr("web.1 stays on node a, since no other can have it")));
  EXPECT_EQ(count_reason("TaskNotMoved"), count_reason("TaskReplaced"));
  EXPECT_GE(count_reason("TaskReplaced"), 5);
  EXPECT_LE(count_reason("TaskReplaced"), 10) << "each pause is twice the one before";
  EXPECT_THAT(messages("TaskReplaced"), Each(HasSubstr("web.1 ended (no such image) and is moved")));
}

TEST_F(RecoveryLife, RecreateObeysMaxAttempts) {
  add_node("a");
  apply_web("fail", 1, v1::Recovery::RECREATE, [](v1::ServiceSpec& spec) {
    spec.mutable_restart()->set_condition(v1::RestartPolicy::ON_FAILURE);
    spec.mutable_restart()->set_max_attempts(3);
  });
  settle();
  advance(seconds(60));
  EXPECT_EQ(count_reason("TaskReplaced"), 3);
  EXPECT_THAT(messages("TaskReplaced"), Each(HasSubstr("web.1 ended (no such image) and is made anew")));
}

TEST_F(RecoveryLife, NothingIsDoneWhereThatIsAsked) {
  add_node("a");
  apply_web("fail", 1, v1::Recovery::NOTHING);
  settle();
  advance(seconds(60));
  EXPECT_EQ(count_reason("TaskReplaced"), 0);
  EXPECT_EQ(message("web"), "web.1 failed: no such image");
}

TEST_F(RecoveryLife, WhatCannotLiveOnANodeMoves) {
  add_node("a");
  add_node("b");
  bad_nodes = {"a"};
  apply_web("crashy", 2, v1::Recovery::RESTART);
  settle();
  EXPECT_THAT(running("web"), SizeIs(2));
  EXPECT_THAT(per_node("web"), ElementsAre(std::pair("b", 2)));
  EXPECT_THAT(messages("TaskMoves"), ElementsAre(HasSubstr("failed 5 times in a row on node a and is moved: exited")));
}

TEST_F(RecoveryLife, FourFailuresAreNotEnough) {
  add_node("a");
  add_node("b");
  bad_nodes = {"a"};
  crashes = 4;
  apply_web("crashy", 2, v1::Recovery::RESTART);
  settle();
  EXPECT_THAT(per_node("web"), ElementsAre(std::pair("a", 1), std::pair("b", 1)));
}

TEST_F(RecoveryLife, OnOneMachineNothingChanges) {
  add_node("a");
  bad_nodes = {"a"};
  crashes = 40;
  apply_web("crashy", 1, v1::Recovery::RESTART);
  settle();
  EXPECT_EQ(count_reason("TaskMoves"), 0);
  EXPECT_EQ(tasks("web").front()->status().failures(), 40u);
}

TEST_F(RecoveryLife, WhatCanLiveNowhereTriesEachNodeOnceAndThenMuchLater) {
  for (const auto* name : {"a", "b", "c"}) add_node(name);
  bad_nodes = {"a", "b", "c"};
  apply_web("crashy", 1, v1::Recovery::RESTART);
  settle();
  advance(seconds(30));
  EXPECT_EQ(count_reason("TaskMoves"), 2);
  const auto& task = *tasks("web").front();
  EXPECT_THAT(task.spec().avoided_nodes(), SizeIs(2));
  EXPECT_EQ(core::label(task.meta(), core::kFailuresLabel), "10") << "its agent begins with a long pause";
  const auto last = node_of_web();
  crashes = 15;
  bad_nodes = {last};
  settle();
  EXPECT_EQ(count_reason("TaskMoves"), 3);
  EXPECT_THAT(running("web"), SizeIs(1));
  EXPECT_NE(node_of_web(), last);
}

TEST_F(RecoveryLife, DataHoldsItWhereItIs) {
  add_node("a");
  bad_nodes = {"a"};
  apply("shop", make_stack({{"web", "app:crashy", 1, mount_data}}, {"data"}));
  settle();
  add_node("b");
  advance(seconds(10));
  EXPECT_EQ(count_reason("TaskMoves"), 0);
  EXPECT_EQ(node_of_web(), "a");
}

TEST_F(RecoveryLife, ATaskThatFencesEndsBeforeAnotherBegins) {
  add_node("a");
  add_node("b");
  bad_nodes = {"a"};
  apply_web("crashy", 2, v1::Recovery::RESTART, [](v1::ServiceSpec& spec) { spec.set_on_node_loss(v1::FENCE); });
  settle();
  EXPECT_THAT(per_node("web"), ElementsAre(std::pair("b", 2)));
}

}  // namespace
}  // namespace orchion::control::controllers
