// Tasks that are moved to a node which came, with all controllers running.

#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"
#include "control/controllers/rebalance_planner.h"
#include "control/controllers/service_moves.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using PerNode = std::map<std::string, int>;

class RebalanceLife : public ClusterFixture {
 protected:
  v1::RebalanceResponse rebalance(std::uint32_t moves_max = 0, bool dry_run = false) {
    v1::RebalanceRequest request;
    request.set_moves_max(moves_max);
    request.set_dry_run(dry_run);
    auto answer = run(controllers_->rebalance(request, "user admin"));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer.value_or(v1::RebalanceResponse());
  }

  v1::RebalanceResponse look() { return rebalance(0, true); }

  // Six tasks on two nodes, and a third that has just come.
  void six_on_two_of_three(
      const std::string& tag = "1", const std::function<void(v1::ServiceSpec&)>& more = [](v1::ServiceSpec&) {}) {
    add_node("a");
    add_node("b");
    apply("shop", make_stack({{"web", "app:" + tag, 6, more}}));
    settle();
    ASSERT_EQ(per_node("web"), (PerNode{{"a", 3}, {"b", 3}}));
    add_node("c");
    settle();
  }

  std::vector<TaskPtr> moving() const {
    std::vector<TaskPtr> found;
    for (const auto& task : tasks("web"))
      if (task->spec().has_move()) found.push_back(task);
    return found;
  }

  std::vector<std::string> messages(const std::string& reason) const {
    std::vector<std::string> found;
    for (const auto& [name, event] : view().events().all())
      if (event->reason() == reason) found.push_back(event->message());
    return found;
  }

  std::set<std::string> uids(const std::string& service) const {
    std::set<std::string> found;
    for (const auto& task : tasks(service)) found.insert(task->meta().uid());
    return found;
  }

  bool was_told(const v1::Task& task, const std::string& reason) const {
    return std::ranges::any_of(task.spec().changes(), [&](const auto& change) { return change.reason() == reason; });
  }
};

TEST_F(RebalanceLife, ANodeThatCameGetsItsPart) {
  six_on_two_of_three();
  const auto before = uids("web");
  const auto dry = look();
  EXPECT_EQ(dry.moves_size(), 2);
  EXPECT_EQ(dry.moves(0).to(), "c");
  EXPECT_THAT(dry.moves(0).reason(), HasSubstr("has 3 tasks and node c none"));
  EXPECT_EQ(dry.nodes_size(), 3);
  settle();
  EXPECT_EQ(uids("web"), before);
  EXPECT_THAT(moving(), IsEmpty()) << "a dry run changes nothing";

  EXPECT_EQ(rebalance().moves_size(), 2);
  settle();
  EXPECT_THAT(tasks("web"), SizeIs(7)) << "one at a time, beside the one that it takes the place of";
  EXPECT_THAT(running("web"), SizeIs(7));
  EXPECT_EQ(service_status("web").tasks_running(), 6U);
  EXPECT_EQ(rebalance().moves_size(), 0) << "while some are under way nothing is planned";
  EXPECT_EQ(look().under_way_size(), 2);
  advance(seconds(10));
  EXPECT_EQ(per_node("web"), (PerNode{{"a", 2}, {"b", 2}, {"c", 2}}));
  EXPECT_EQ(count_reason("TaskMoved"), 2);
  EXPECT_THAT(messages("TaskMoves").front(), HasSubstr("to node c, since node"));
  EXPECT_FALSE(service_status("web").updating());
  EXPECT_EQ(look().moves_size(), 0);
  EXPECT_EQ(look().under_way_size(), 0);
}

TEST_F(RebalanceLife, TheHistorySaysWhoWantedIt) {
  six_on_two_of_three();
  const auto planned = rebalance(1);
  ASSERT_EQ(planned.moves_size(), 1);
  advance(seconds(5));
  int found = 0;
  for (const auto& task : tasks("web")) {
    if (task->spec().predecessor() != planned.moves(0).task_uid()) continue;
    ++found;
    EXPECT_EQ(task->spec().changes(0).reason(), "Created");
    EXPECT_EQ(task->spec().changes(0).actor(), "user admin");
    EXPECT_THAT(task->spec().changes(0).message(), HasSubstr("it moves to node c, since"));
  }
  EXPECT_EQ(found, 1);
}

TEST_F(RebalanceLife, TheOldOneGoesOnlyWhenTheNewOneHasBeenReadyForAMoment) {
  six_on_two_of_three();
  const auto planned = rebalance(1);
  settle();
  advance(std::chrono::duration_cast<seconds>(kMoveMonitor) - seconds(1));
  EXPECT_TRUE(uids("web").contains(planned.moves(0).task_uid()));
  advance(seconds(2));
  EXPECT_FALSE(uids("web").contains(planned.moves(0).task_uid()));
}

TEST_F(RebalanceLife, WhatCantRunThereStaysAndTheOthersOfItsServiceAreGivenUp) {
  bad_nodes = {"c"};
  six_on_two_of_three("picky");
  const auto before = uids("web");
  EXPECT_EQ(rebalance().moves_size(), 2);
  advance(seconds(10));
  EXPECT_EQ(per_node("web"), (PerNode{{"a", 3}, {"b", 3}}));
  EXPECT_EQ(uids("web"), before);
  EXPECT_THAT(moving(), IsEmpty());
  EXPECT_THAT(messages("TaskNotMoved"),
              ElementsAre(AllOf(HasSubstr("does not move to node c"), HasSubstr("it ended there: no such image"))));
  int told = 0;
  for (const auto& task : tasks("web")) told += was_told(*task, "NotMoved") ? 1 : 0;
  EXPECT_EQ(told, 2);
}

TEST_F(RebalanceLife, WhatNeverBecomesReadyIsGivenUpAfterAWhile) {
  six_on_two_of_three();
  const auto before = uids("web");
  rebalance(1);
  // Its agent answers, and gets nowhere.
  for (auto left = std::chrono::duration_cast<seconds>(kMoveLimit); left > seconds(0); left -= seconds(10)) {
    run_controllers();
    clock_.advance(seconds(10));
    for (const char* node : {"uid-a", "uid-b", "uid-c"}) liveness_->heard(node, clock_.now());
    run_controllers();
  }
  advance(seconds(2));
  EXPECT_EQ(uids("web"), before);
  EXPECT_THAT(messages("TaskNotMoved"), ElementsAre(HasSubstr("after 10 minutes")));
}

TEST_F(RebalanceLife, SurvivesTheServer) {
  six_on_two_of_three();
  rebalance();
  run_controllers();
  restart_controllers(seconds(5));
  settle();
  restart_controllers(seconds(1));
  advance(seconds(12));
  EXPECT_EQ(per_node("web"), (PerNode{{"a", 2}, {"b", 2}, {"c", 2}}));
  EXPECT_EQ(count_reason("TaskMoved"), 2);
}

TEST_F(RebalanceLife, AnUpdateGoesBeforeAMove) {
  six_on_two_of_three();
  rebalance();
  settle();
  ASSERT_THAT(tasks("web"), SizeIs(7));
  apply("shop", make_stack({{"web", "app:2", 6}}));
  advance(seconds(40));
  EXPECT_THAT(running("web"), SizeIs(6));
  EXPECT_THAT(moving(), IsEmpty());
  EXPECT_THAT(messages("TaskNotMoved"), ElementsAre(HasSubstr("its service is changed")));
  for (const auto& task : tasks("web")) EXPECT_EQ(task->spec().revision(), service_status("web").revision());
}

TEST_F(RebalanceLife, ScaledDownOrRemovedNothingIsLeft) {
  six_on_two_of_three();
  rebalance();
  settle();
  apply("shop", make_stack({{"web", "app:1", 1}}));
  advance(seconds(10));
  EXPECT_THAT(tasks("web"), SizeIs(1));
  remove_stack("shop");
  advance(seconds(5));
  EXPECT_FALSE(view().services().find("shop", "web"));
  EXPECT_THAT(tasks("web"), IsEmpty());
}

TEST_F(RebalanceLife, AFewAtOnceAndOneOfAService) {
  add_node("a");
  std::vector<ServiceDraft> drafts;
  for (const char* name : {"one", "two", "three", "four"}) drafts.push_back({name, "app:1", 3});
  apply("shop", make_stack(drafts));
  settle();
  add_node("b");
  EXPECT_EQ(rebalance().moves_size(), 6);
  std::size_t most = 0;
  for (int second = 0; second < 30; ++second) {
    std::size_t all = 0;
    for (const auto& draft : drafts) {
      const auto count = tasks(draft.name).size();
      EXPECT_LE(count, 4U) << draft.name;
      all += count;
    }
    most = std::max(most, all - 12);
    advance(seconds(1));
  }
  EXPECT_EQ(most, kMovesAtOnce);
  EXPECT_EQ(count_reason("TaskMoved"), 6);
  EXPECT_EQ(look().moves_size(), 0);
}

TEST_F(RebalanceLife, WhatIsBoundToItsNodeStays) {
  add_node("a");
  add_node("b");
  const auto moves = [&](const std::function<void(v1::ServiceSpec&)>& more, std::vector<std::string> volumes = {}) {
    change_node("b", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::PAUSED); });
    apply("shop", make_stack({{"web", "app:1", 4, more}}, volumes));
    settle();
    change_node("b", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::ACTIVE); });
    settle();
    const int count = look().moves_size();
    remove_stack("shop", true);
    advance(seconds(3));
    return count;
  };
  EXPECT_EQ(moves([](v1::ServiceSpec&) {}), 2);
  EXPECT_EQ(moves(mount_data, {"data"}), 0);
  EXPECT_EQ(moves([](v1::ServiceSpec& spec) { spec.set_on_node_loss(v1::FENCE); }), 0);
  EXPECT_EQ(moves([](v1::ServiceSpec& spec) { spec.add_constraints("node.hostname==a"); }), 0);
  EXPECT_EQ(moves([](v1::ServiceSpec& spec) {
              auto& mount = *spec.mutable_container()->add_mounts();
              mount.set_type(v1::Mount::BIND);
              mount.set_source("/srv");
              mount.set_target("/srv");
            }),
            0);
  EXPECT_EQ(moves([](v1::ServiceSpec& spec) {
              auto& port = *spec.mutable_container()->add_ports();
              port.set_container_port(80);
              port.set_protocol("tcp");
              port.set_host_only(true);
            }),
            0);
}

TEST_F(RebalanceLife, ByItselfOnlyWhereAskedAndAfterAQuietMinute) {
  six_on_two_of_three();
  advance(seconds(120));
  EXPECT_THAT(moving(), IsEmpty());
  options_.rebalance = true;
  restart_controllers();
  advance(seconds(59));
  EXPECT_EQ(per_node("web"), (PerNode{{"a", 3}, {"b", 3}}));
  advance(seconds(15));
  EXPECT_EQ(per_node("web"), (PerNode{{"a", 2}, {"b", 2}, {"c", 2}}));
  add_node("d");
  advance(seconds(40));
  add_node("e");
  advance(seconds(40));
  EXPECT_THAT(moving(), IsEmpty()) << "the minute begins anew with each that comes";
  advance(seconds(40));
  EXPECT_EQ(per_node("web")["d"], 1);
  EXPECT_EQ(per_node("web")["e"], 1);
}

TEST_F(RebalanceLife, ANodeThatGoesMeanwhileEndsTheMove) {
  six_on_two_of_three();
  const auto before = uids("web");
  rebalance();
  settle();
  ASSERT_THAT(tasks("web"), SizeIs(7));
  change_node("c", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  advance(seconds(5));
  EXPECT_EQ(uids("web"), before);
  EXPECT_THAT(messages("TaskNotMoved"), ElementsAre(HasSubstr("that node takes no tasks any more")));
}

TEST_F(RebalanceLife, WhereTheNodeThatIsLeftGoesTheNewOneStays) {
  six_on_two_of_three();
  const auto planned = rebalance(1);
  settle();
  ASSERT_THAT(tasks("web"), SizeIs(7));
  silence(planned.moves(0).from());
  advance(seconds(60));
  EXPECT_THAT(running("web"), SizeIs(6));
  EXPECT_FALSE(uids("web").contains(planned.moves(0).task_uid()));
  EXPECT_EQ(per_node("web").contains(planned.moves(0).from()), false);
}

TEST_F(RebalanceLife, MoreThanMayBeAskedForAreRefused) {
  v1::RebalanceRequest request;
  request.set_moves_max(kMovesMax + 1);
  const auto refused = run(controllers_->rebalance(request, "user admin"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace orchion::control::controllers
