// Queues, with all controllers: what jobs share that name one.

#include <algorithm>

#include "control/controllers/job_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

JobChange queued(std::int32_t priority = 0) {
  return [priority](v1::JobSpec& job) {
    job.set_queue("gpu");
    job.set_concurrency(v1::JobSpec::SIDE_BY_SIDE);
    job.set_priority(priority);
  };
}

v1::StackSpec with_queue(v1::StackSpec stack, std::uint32_t slots,
                         v1::JobSpec::Placement placement = v1::JobSpec::LEAST_LOADED) {
  auto& queue = *stack.add_queues();
  queue.set_name("gpu");
  queue.mutable_spec()->set_slots(slots);
  queue.mutable_spec()->set_placement(placement);
  return stack;
}

class JobQueues : public JobFixture {
 protected:
  std::vector<std::string> at_work() const {
    std::vector<std::string> names;
    for (const auto& [name, run] : view().runs().all())
      if (run->status().state() == v1::RUN_ACTIVE) names.push_back(name.name);
    return names;
  }
};

TEST_F(JobQueues, NoMoreAtWorkThanSlotsOverAllJobs) {
  apply("shop", with_queue(with_job(with_job({}, "a", "app:1", queued()), "b", "app:1", queued()), 2));
  settle();
  for (int i = 0; i < 3; ++i) {
    ask("a");
    ask("b");
  }
  settle();
  EXPECT_THAT(at_work(), ElementsAre("a.1", "b.1"));
  EXPECT_EQ(status("a.2").message(), "waits for one of the 2 slots of queue gpu");
  for (const auto* run : {"a.1", "b.1", "a.2", "b.2", "a.3"}) {
    cancel(run);
    run_controllers();
    EXPECT_LE(at_work().size(), 2u);
    settle();
    EXPECT_LE(at_work().size(), 2u);
  }
  EXPECT_THAT(at_work(), ElementsAre("b.3"));
}

TEST_F(JobQueues, ABacklogHoldsUpNoOtherJob) {
  apply("shop", with_queue(with_job(with_job({}, "many", "app:1", queued()), "few", "app:1", queued()), 2));
  settle();
  for (int i = 0; i < 5; ++i) ask("many");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("many.1", "many.2"));
  advance(seconds(5));
  ask("few");
  settle();
  cancel("many.1");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("few.1", "many.2")) << "it came last and has none at work";
}

TEST_F(JobQueues, PriorityGoesBeforeFairness) {
  auto stack = with_job(with_job({}, "high", "app:1", queued(5)), "low", "app:1", queued());
  apply("shop", with_queue(std::move(stack), 2));
  settle();
  ask("high");
  settle();
  ask("low");
  ask("low");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("high.1", "low.1"));
  ask("high");
  settle();
  cancel("low.1");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("high.1", "high.2"));
}

TEST_F(JobQueues, MoreSlotsAreUsedAtOnceAndFewerWithTime) {
  const auto job = with_job({}, "job", "app:1", queued());
  apply("shop", with_queue(job, 1));
  settle();
  for (int i = 0; i < 4; ++i) ask();
  settle();
  EXPECT_THAT(at_work(), ElementsAre("job.1"));
  EXPECT_EQ(status("job.2").message(), "waits for the slot of queue gpu");
  apply("shop", with_queue(job, 3));
  settle();
  EXPECT_THAT(at_work(), ElementsAre("job.1", "job.2", "job.3"));
  apply("shop", with_queue(job, 1));
  settle();
  EXPECT_EQ(at_work().size(), 3u) << "nothing is stopped";
  cancel("job.1");
  cancel("job.2");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("job.3"));
  cancel("job.3");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("job.4"));
}

TEST_F(JobQueues, AQueueThatIsNoMoreHoldsNobodyBack) {
  apply("shop", with_queue(with_job({}, "job", "app:1", queued()), 1));
  settle();
  ask();
  ask();
  settle();
  apply("shop", one_job("app:1"));
  settle();
  advance(seconds(61));
  EXPECT_THAT(at_work(), ElementsAre("job.1", "job.2"));
}

TEST_F(JobQueues, OnlyWhoMayBeginTakesASlot) {
  const auto alone = [](v1::JobSpec& job) { job.set_queue("gpu"); };
  apply("shop", with_queue(with_job(with_job({}, "alone", "app:1", alone), "other", "app:1", queued()), 2));
  settle();
  ask("alone");
  ask("alone");
  settle();
  advance(seconds(1));
  ask("other");
  ask("other");
  settle();
  EXPECT_THAT(at_work(), ElementsAre("alone.1", "other.1")) << "alone.2 waits for alone.1, not for a slot";
  EXPECT_EQ(status("alone.2").message(), "waits for alone.1");
}

TEST_F(JobQueues, ASecondServerCountsTheSame) {
  apply("shop", with_queue(with_job({}, "job", "app:1", queued()), 2));
  settle();
  for (int i = 0; i < 4; ++i) ask();
  settle();
  restart_controllers(seconds(90));
  settle();
  EXPECT_THAT(at_work(), ElementsAre("job.1", "job.2"));
}

TEST_F(JobQueues, ItsPlacementGoesForItsJobs) {
  add_node("b");
  add_node("c");
  const auto job = [](v1::JobSpec& spec) {
    queued()(spec);
    spec.mutable_container()->mutable_reservations()->set_nano_cpus(1'000'000'000);
    spec.set_completions(4);
    spec.set_parallelism(4);
  };
  const auto nodes_used = [this](const std::string& run) {
    std::set<std::string> nodes;
    for (const auto& task : tasks_of(run)) nodes.insert(task->spec().assignment().node());
    return nodes.size();
  };
  apply("shop", with_queue(with_job({}, "job", "app:1", job), 1, v1::JobSpec::BIN_PACK));
  settle();
  const auto packed = ask();
  settle();
  EXPECT_EQ(nodes_used(packed), 1u);
  cancel(packed);
  apply("shop", with_queue(with_job({}, "job", "app:1", job), 1, v1::JobSpec::SPREAD_OUT));
  settle();
  const auto spread = ask();
  settle();
  EXPECT_EQ(nodes_used(spread), 3u);
}

}  // namespace
}  // namespace orchion::control::controllers
