#include "control/controllers/node_planner.h"

#include <gtest/gtest.h>

#include "core/lifecycle.h"

namespace orchion::control::controllers {
namespace {

using State = v1::NodeStatus;
using std::chrono::seconds;

const Now kNow{base::Time(seconds(1000)), base::WallTime(seconds(1767225600))};

NodePtr node(const std::string& name, State::State state, int lost_seconds_ago = 0) {
  auto result = std::make_shared<v1::Node>();
  result->mutable_meta()->set_name(name);
  result->mutable_meta()->set_uid("uid-" + name);
  result->mutable_status()->set_state(state);
  *result->mutable_status()->mutable_since() = core::to_timestamp(kNow.wall - seconds(lost_seconds_ago));
  return result;
}

NodeFacts facts(const std::string& name, State::State state, int silent_seconds) {
  return {node(name, state), kNow.time - seconds(silent_seconds)};
}

// The new states, as "a:LOST".
std::vector<std::string> changes(const NodesSnapshot& snapshot) {
  base::Random random(1);
  std::vector<std::string> result;
  for (const auto& unit : plan_nodes(snapshot, kNow, random).plan.units)
    for (const auto& write : unit)
      if (const auto* changed = std::get_if<v1::Node>(&write.object))
        result.push_back(changed->meta().name() + (write.verb == Verb::kRemove
                                                       ? " removed"
                                                       : ":" + State::State_Name(changed->status().state())));
  return result;
}

NodesSnapshot snapshot(std::vector<NodeFacts> nodes) {
  return {std::move(nodes), base::Time(seconds(0)), seconds(30)};
}

TEST(NodePlanner, Table) {
  using Names = std::vector<std::string>;
  const auto fresh = facts("b", State::READY, 1), other = facts("c", State::READY, 1);
  NodeFacts left = facts("a", State::READY, 100);
  left.left = true;
  NodeFacts back = facts("a", State::LOST, 1);
  back.declared_lost = kNow.time - seconds(5);
  NodeFacts heard_before_loss = facts("a", State::LOST, 10);
  heard_before_loss.declared_lost = kNow.time - seconds(5);
  NodeFacts never{node("a", State::READY)};
  const struct {
    const char* name;
    NodeFacts first;
    Names expected;
  } cases[] = {
      {"heard lately", facts("a", State::READY, 29), {}},
      {"silent", facts("a", State::READY, 30), {"a:LOST"}},
      {"never heard since this server serves", never, {"a:LOST"}},
      {"left in order", left, {"a:UNKNOWN"}},
      {"unknown stays so", facts("a", State::UNKNOWN, 100), {}},
      {"lost stays so", facts("a", State::LOST, 100), {}},
      {"lost and heard since", back, {"a:READY"}},
      {"lost and heard before only", heard_before_loss, {}},
  };
  for (const auto& c : cases) EXPECT_EQ(changes(snapshot({c.first, fresh, other})), c.expected) << c.name;
}

TEST(NodePlanner, SilenceCountsFromWhenTheServerServes) {
  NodesSnapshot late = snapshot({facts("a", State::READY, 500)});
  late.serving_since = kNow.time - seconds(29);
  EXPECT_TRUE(changes(late).empty());
  late.serving_since = kNow.time - seconds(30);
  EXPECT_EQ(changes(late).size(), 1u);
}

TEST(NodePlanner, TheFirstOfManyWaitsForTheOthers) {
  const auto fine = facts("d", State::READY, 1);
  EXPECT_TRUE(changes(snapshot({facts("a", State::READY, 31), facts("b", State::READY, 27),
                                facts("c", State::READY, 20), fine}))
                  .empty());
  EXPECT_EQ(changes(snapshot({facts("a", State::READY, 41), facts("b", State::READY, 37), facts("c", State::READY, 30),
                              fine}))
                .size(),
            3u);
  // Half isn't more than half.
  EXPECT_EQ(
      changes(snapshot({facts("a", State::READY, 31), facts("b", State::READY, 27), facts("c", State::READY, 1), fine}))
          .size(),
      1u);
}

TEST(NodePlanner, RemovalWaitsForTasksWhereSomebodyAnswers) {
  const auto leaving = [](State::State state, int silent, std::size_t tasks) {
    auto marked = std::make_shared<v1::Node>(*node("a", state));
    core::mark_deleted(*marked->mutable_meta(), kNow.wall);
    return NodeFacts{marked, kNow.time - seconds(silent), false, std::nullopt, tasks};
  };
  EXPECT_TRUE(changes(snapshot({leaving(State::READY, 1, 2)})).empty());
  EXPECT_EQ(changes(snapshot({leaving(State::READY, 1, 0)})), (std::vector<std::string>{"a removed"}));
  EXPECT_EQ(changes(snapshot({leaving(State::READY, 40, 2)})), (std::vector<std::string>{"a removed"}));
  EXPECT_EQ(changes(snapshot({leaving(State::LOST, 40, 2)})), (std::vector<std::string>{"a removed"}));
}

TEST(NodePlanner, PauseTable) {
  const auto lost = [](const char* name, int ago) { return node(name, State::LOST, ago); };
  const auto ready = [](const char* name) { return node(name, State::READY); };
  const struct {
    const char* name;
    std::vector<NodePtr> nodes;
    bool paused;
  } cases[] = {
      {"none", {}, false},
      {"one of one", {lost("a", 1)}, false},
      {"two of two", {lost("a", 1), lost("b", 1)}, false},
      {"one of three", {lost("a", 1), ready("b"), ready("c")}, false},
      {"two of three at once", {lost("a", 1), lost("b", 5), ready("c")}, true},
      {"two of three far apart", {lost("a", 1), lost("b", 500), ready("c")}, false},
      {"half of four", {lost("a", 1), lost("b", 1), ready("c"), ready("d")}, false},
      {"three of five, after an earlier one",
       {lost("a", 900), lost("b", 1), lost("c", 1), lost("d", 1), ready("e")},
       true},
      {"agents that left don't count", {lost("a", 1), node("b", State::UNKNOWN), ready("c")}, false},
  };
  for (const auto& c : cases) EXPECT_EQ(is_replacement_paused(c.nodes, seconds(30)), c.paused) << c.name;
}

}  // namespace
}  // namespace orchion::control::controllers
