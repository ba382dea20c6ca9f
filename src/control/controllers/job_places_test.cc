// Where tasks of runs go, and whose go first where there is not room for all.

#include <algorithm>

#include "control/controllers/job_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class JobPlaces : public JobFixture {};

JobChange reserving(std::int64_t cores, std::int32_t priority = 0) {
  return [=](v1::JobSpec& job) {
    job.mutable_container()->mutable_reservations()->set_nano_cpus(cores * 1'000'000'000);
    job.set_priority(priority);
    job.set_concurrency(v1::JobSpec::SIDE_BY_SIDE);
  };
}

TEST_F(JobPlaces, WaitsForRoom) {
  apply("shop", one_job("app:1", reserving(4)));
  settle();
  const auto first = ask(), second = ask();
  settle();
  EXPECT_THAT(status(second).message(), HasSubstr("job.2.0 has no place: 0 of 1 node"));
  cancel(first);
  settle();
  EXPECT_EQ(tasks_of(second)[0]->status().state(), v1::RUNNING);
}

TEST_F(JobPlaces, RoomGoesToTheHigherPriority) {
  auto stack = with_job({}, "low", "app:1", reserving(4, 1));
  stack = with_job(stack, "high", "app:1", reserving(4, 2));
  apply("shop", stack);
  settle();
  const auto first = ask("low");
  settle();
  const auto low = ask("low");
  settle();
  const auto high = ask("high");
  settle();
  cancel(first);
  settle();
  EXPECT_EQ(tasks_of(high)[0]->status().state(), v1::RUNNING);
  EXPECT_FALSE(tasks_of(low)[0]->spec().has_assignment());
}

TEST_F(JobPlaces, RoomIsSharedBetweenStacks) {
  const auto many = [](v1::JobSpec& job) {
    reserving(1)(job);
    job.set_completions(20);
    job.set_parallelism(20);
  };
  apply("shop", one_job("app:hang", many));
  apply("blog", one_job("app:hang", many));
  settle();
  ask("job", "shop");
  settle();
  EXPECT_EQ(unended("job.1"), 20u);
  ask("job", "blog");
  settle();
  add_node("b");
  settle();
  std::map<std::string, int> placed;
  for (const auto& [name, task] : view().tasks().all())
    if (task->spec().has_assignment()) ++placed[name.stack];
  EXPECT_EQ(placed["shop"], 4);
  EXPECT_EQ(placed["blog"], 4) << "the stack that has fewest goes first, though it asked later";
}

TEST_F(JobPlaces, PreemptsNoMoreThanItMust) {
  const auto preempting = [](v1::JobSpec& job) {
    reserving(2, 10)(job);
    job.set_preempts(true);
  };
  auto stack = with_job({}, "low", "app:1", reserving(1, 1));
  stack = with_job(stack, "high", "app:1", preempting);
  apply("shop", stack);
  settle();
  std::vector<std::string> lows;
  for (int i = 0; i < 4; ++i) {
    lows.push_back(ask("low"));
    settle();
    advance(seconds(1));
  }
  const auto high = ask("high");
  settle();
  EXPECT_EQ(tasks_of(high)[0]->status().state(), v1::RUNNING);
  EXPECT_EQ(count_reason("TaskPreempted"), 2);
  int running = 0;
  for (const auto& low : lows) {
    EXPECT_EQ(state(low), v1::RUN_ACTIVE);
    EXPECT_EQ(status(low).failed(), 0u);
    running += static_cast<int>(status(low).running());
  }
  EXPECT_EQ(running, 2);
  cancel(high);
  settle();
  for (const auto& low : lows) EXPECT_EQ(status(low).running(), 1u) << "begun anew";
  EXPECT_EQ(count_reason("TaskPreempted"), 2);
}

TEST_F(JobPlaces, DoesNotPreemptWithoutBeingToldTo) {
  auto stack = with_job({}, "low", "app:1", reserving(4, 1));
  stack = with_job(stack, "high", "app:1", reserving(4, 10));
  apply("shop", stack);
  settle();
  const auto low = ask("low");
  settle();
  const auto high = ask("high");
  settle();
  EXPECT_EQ(status(low).running(), 1u);
  EXPECT_FALSE(tasks_of(high)[0]->spec().has_assignment());
}

std::vector<std::string> nodes_of(const std::vector<std::shared_ptr<const v1::Task>>& tasks) {
  std::map<std::uint32_t, std::string> by_index;
  for (const auto& task : tasks) by_index[task->spec().index()] = task->spec().assignment().node();
  std::vector<std::string> nodes;
  for (const auto& [index, node] : by_index) nodes.push_back(node);
  return nodes;
}

TEST_F(JobPlaces, StrategiesOfPlacement) {
  add_node("b");
  add_node("c");
  const auto with = [](v1::JobSpec::Placement placement) -> JobChange {
    return [placement](v1::JobSpec& job) {
      job.mutable_container()->mutable_reservations()->set_nano_cpus(1'000'000'000);
      job.set_placement(placement);
      job.set_completions(4);
      job.set_parallelism(4);
    };
  };
  auto stack = with_job({}, "pack", "app:1", with(v1::JobSpec::BIN_PACK));
  stack = with_job(stack, "least", "app:1", with(v1::JobSpec::LEAST_LOADED));
  stack = with_job(stack, "round", "app:1", with(v1::JobSpec::ROUND_ROBIN));
  stack = with_job(stack, "spread", "app:1", with(v1::JobSpec::SPREAD_OUT));
  apply("shop", stack);
  settle();
  const auto pack = ask("pack");
  settle();
  const auto packed = nodes_of(tasks_of(pack));
  EXPECT_EQ(std::set<std::string>(packed.begin(), packed.end()).size(), 1u);
  const auto least = ask("least");
  settle();
  EXPECT_THAT(nodes_of(tasks_of(least)), Not(Contains(packed[0]))) << "four of its processors are taken";
  cancel(pack);
  cancel(least);
  settle();
  const auto round = ask("round");
  settle();
  EXPECT_THAT(nodes_of(tasks_of(round)), ElementsAre("b", "c", "a", "b"))
      << "the first run begins after the first node";
  cancel(round);
  settle();
  const auto spread = ask("spread");
  settle();
  const auto all = nodes_of(tasks_of(spread));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 3u);
}

}  // namespace
}  // namespace orchion::control::controllers
