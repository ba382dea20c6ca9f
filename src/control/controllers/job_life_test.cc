// Jobs from the manifest to the end of their runs, with all controllers, agents played by hand and a turned clock.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"
#include "control/controllers/job_planner.h"
#include "core/jobs.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Change = std::function<void(v1::JobSpec&)>;

void no_change(v1::JobSpec&) {}

v1::StackSpec with_job(v1::StackSpec stack, const std::string& name, const std::string& image, const Change& change) {
  auto& job = *stack.add_jobs();
  job.set_name(name);
  job.mutable_spec()->mutable_container()->set_image(image);
  change(*job.mutable_spec());
  return stack;
}

v1::StackSpec one_job(const std::string& image, const Change& change = no_change) {
  return with_job({}, "job", image, change);
}

Change scheduled(const std::string& line) {
  return [line](v1::JobSpec& job) { job.mutable_schedule()->add_cron(line); };
}

class JobLife : public ClusterFixture {
 protected:
  JobLife() { add_node("a"); }

  // As the API makes it.
  std::string ask(const std::string& name = "job", const std::string& stack = "shop") {
    const auto job = view().jobs().find(stack, name);
    auto made_from = core::with_parameters(name, job->spec(), {});
    EXPECT_TRUE(made_from);
    const auto run =
        core::make_run(*job, core::next_run_number(*job, view().runs_of_job(stack, name)), *made_from, clock_.wall());
    store::Transaction transaction;
    store::create(transaction, run);
    commit(std::move(transaction));
    return run.meta().name();
  }

  void cancel(const std::string& run) {
    v1::Run changed = *view().runs().find("shop", run);
    changed.mutable_spec()->set_cancelled(true);
    store::Transaction transaction;
    store::put_spec(transaction, changed);
    commit(std::move(transaction));
  }

  const v1::RunStatus& status(const std::string& run) const { return view().runs().find("shop", run)->status(); }
  v1::RunState state(const std::string& run) const { return status(run).state(); }
  std::vector<v1::RunState> states(const std::string& job = "job") const {
    std::vector<v1::RunState> all;
    for (const auto& run : view().runs_of_job("shop", job)) all.push_back(run->status().state());
    return all;
  }
  std::vector<std::shared_ptr<const v1::Task>> tasks_of(const std::string& run) const {
    return view().tasks_of_run("shop", run);
  }
  std::size_t unended(const std::string& run) const {
    const auto all = tasks_of(run);
    return static_cast<std::size_t>(std::ranges::count_if(all, [](const auto& task) {
      return !core::is_terminal(task->status().state()) && task->spec().desired_state() != v1::DESIRED_LOST;
    }));
  }
  const v1::JobStatus& job_status(const std::string& job = "job") const {
    return view().jobs().find("shop", job)->status();
  }
};

TEST_F(JobLife, RunsToItsEnd) {
  apply("shop", one_job("app:work"));
  settle();
  EXPECT_TRUE(states().empty()) << "nothing runs that nobody asked for";
  const auto run = ask();
  EXPECT_EQ(run, "job.1");
  settle();
  EXPECT_EQ(state(run), v1::RUN_SUCCEEDED);
  EXPECT_EQ(status(run).exit_code(), 0);
  EXPECT_EQ(status(run).succeeded(), 1u);
  EXPECT_TRUE(status(run).has_started_at() && status(run).has_finished_at());
  EXPECT_EQ(tasks_of(run).size(), 1u) << "it stays, with what it wrote";
  EXPECT_EQ(job_status().last_run(), "job.1");
  EXPECT_EQ(job_status().runs_active(), 0u);
  EXPECT_THAT(reasons(), Contains("JobStarted"));
  EXPECT_THAT(reasons(), Contains("JobSucceeded"));
}

TEST_F(JobLife, CompletionsAndParallelism) {
  apply("shop", one_job("app:hang", [](v1::JobSpec& job) {
          job.set_completions(7);
          job.set_parallelism(3);
        }));
  settle();
  const auto run = ask();
  settle();
  EXPECT_EQ(unended(run), 3u);
  apply("shop", one_job("app:work", [](v1::JobSpec& job) {
          job.set_completions(7);
          job.set_parallelism(3);
        }));
  settle();
  EXPECT_EQ(unended(run), 3u) << "a run is what its job was when it began";
  const auto second = ask();
  settle();
  EXPECT_EQ(state(second), v1::RUN_QUEUED);
  EXPECT_EQ(status(second).message(), "waits for job.1");
  cancel(run);
  settle();
  EXPECT_EQ(state(run), v1::RUN_CANCELLED);
  EXPECT_EQ(state(second), v1::RUN_SUCCEEDED);
  std::set<std::uint32_t> indexes;
  for (const auto& task : tasks_of(second)) EXPECT_TRUE(indexes.insert(task->spec().index()).second);
  EXPECT_THAT(indexes, ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST_F(JobLife, FailsAtOnceWithoutRetries) {
  apply("shop", one_job("app:fail"));
  settle();
  const auto run = ask();
  settle();
  EXPECT_EQ(state(run), v1::RUN_FAILED);
  EXPECT_EQ(status(run).message(), "job.1.0 failed: no such image");
  EXPECT_EQ(tasks_of(run).size(), 1u);
}

TEST_F(JobLife, RetriesWithBackoff) {
  apply("shop", one_job("app:fail", [](v1::JobSpec& job) {
          job.set_retries(3);
          job.mutable_backoff()->set_seconds(2);
        }));
  settle();
  const auto run = ask();
  settle();
  std::vector<std::size_t> counts;
  for (int second = 0; second <= 14; ++second) {
    counts.push_back(tasks_of(run).size());
    advance(seconds(1));
  }
  EXPECT_EQ(counts, (std::vector<std::size_t>{1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4}));
  EXPECT_EQ(state(run), v1::RUN_FAILED);
  EXPECT_EQ(status(run).failed(), 4u);
  EXPECT_EQ(status(run).message(), "job.1.0 failed 4 times: no such image");
  EXPECT_EQ(count_reason("JobRetried"), 3);
}

TEST_F(JobLife, DeadlineEndsItAndKeepsWhatItWrote) {
  apply("shop", one_job("app:1", [](v1::JobSpec& job) { job.mutable_deadline()->set_seconds(30); }));
  settle();
  const auto run = ask();
  settle();
  EXPECT_EQ(state(run), v1::RUN_ACTIVE);
  advance(seconds(29));
  EXPECT_EQ(state(run), v1::RUN_ACTIVE);
  advance(seconds(2));
  EXPECT_EQ(state(run), v1::RUN_FAILED);
  EXPECT_EQ(status(run).message(), "it took longer than its deadline of 30 s");
  ASSERT_EQ(tasks_of(run).size(), 1u);
  EXPECT_EQ(tasks_of(run)[0]->status().state(), v1::STOPPED);
  EXPECT_FALSE(core::is_deleted(tasks_of(run)[0]->meta()));
}

TEST_F(JobLife, CancelledBeforeItBeganAndWhileItRuns) {
  apply("shop", one_job("app:1"));
  settle();
  const auto first = ask(), second = ask();
  settle();
  cancel(second);
  settle();
  EXPECT_EQ(state(second), v1::RUN_CANCELLED);
  EXPECT_TRUE(tasks_of(second).empty());
  EXPECT_EQ(state(first), v1::RUN_ACTIVE);
  cancel(first);
  settle();
  EXPECT_EQ(state(first), v1::RUN_CANCELLED);
  EXPECT_EQ(status(first).message(), "somebody cancelled it");
  EXPECT_EQ(unended(first), 0u);
}

// --- the schedule ---

TEST_F(JobLife, EachSlotOnce) {
  advance(seconds(7));
  apply("shop", one_job("app:work", scheduled("* * * * *")));
  settle();
  for (int i = 0; i < 5; ++i) {
    advance(seconds(60));
    restart_controllers();
    settle();
  }
  EXPECT_EQ(states().size(), 5u);
  EXPECT_THAT(states(), Not(Contains(v1::RUN_MISSED)));
  std::set<std::int64_t> slots;
  for (const auto& run : view().runs_of_job("shop", "job"))
    EXPECT_TRUE(slots.insert(run->spec().slot().seconds()).second);
  EXPECT_TRUE(job_status().has_next_slot());
}

TEST_F(JobLife, SlotsThatNobodyCouldBeginAreRecorded) {
  apply("shop", one_job("app:work", scheduled("*/10 * * * *")));
  settle();
  restart_controllers(hours(1));
  settle();
  EXPECT_GE(states().size(), 5u);
  EXPECT_THAT(states(), Contains(v1::RUN_MISSED));
  const auto before = states().size();
  restart_controllers();
  settle();
  EXPECT_EQ(states().size(), before) << "none comes again";
  for (const auto& run : view().runs_of_job("shop", "job"))
    if (run->status().state() == v1::RUN_MISSED) {
      EXPECT_FALSE(run->spec().template_().has_container());
    }
}

TEST_F(JobLife, AfterALongAbsenceTheRestIsANumber) {
  apply("shop", one_job("app:work", scheduled("* * * * *")));
  settle();
  restart_controllers(hours(10));
  settle();
  EXPECT_LE(states().size(), kIdleRunsKept + 3) << "and those that were in time";
  ASSERT_EQ(count_reason("JobMissed"), 1);
  for (const auto& [name, event] : view().events().all())
    if (event->reason() == "JobMissed") {
      EXPECT_THAT(event->message(), HasSubstr("job missed 57"));
    }
}

TEST_F(JobLife, ALongStartingDeadlineMakesUpForSome) {
  apply("shop", one_job("app:work", [](v1::JobSpec& job) {
          scheduled("* * * * *")(job);
          job.mutable_schedule()->mutable_starting_deadline()->set_seconds(86400);
        }));
  settle();
  restart_controllers(minutes(10));
  settle();
  EXPECT_GE(states().size(), 10u);
  EXPECT_LE(states().size(), 11u);
  EXPECT_THAT(states(), testing::Each(v1::RUN_SUCCEEDED));
}

TEST_F(JobLife, APausedScheduleMakesNothingAndMissesNothing) {
  const auto paused = [](v1::JobSpec& job) {
    scheduled("* * * * *")(job);
    job.mutable_schedule()->set_paused(true);
  };
  apply("shop", one_job("app:work", paused));
  settle();
  advance(seconds(200));
  EXPECT_TRUE(states().empty());
  apply("shop", one_job("app:work", scheduled("* * * * *")));
  settle();
  advance(seconds(61));
  EXPECT_THAT(states(), Not(Contains(v1::RUN_MISSED)));
  EXPECT_LE(states().size(), 2u);
  EXPECT_GE(states().size(), 1u);
}

TEST_F(JobLife, AnotherScheduleSaysNothingAboutTheTimeBefore) {
  apply("shop", one_job("app:work", scheduled("0 0 1 1 *")));
  settle();
  advance(seconds(300));
  apply("shop", one_job("app:work", scheduled("* * * * *")));
  settle();
  EXPECT_LE(states().size(), 1u);
  EXPECT_THAT(states(), Not(Contains(v1::RUN_MISSED)));
}

// --- concurrency ---

Change concurrent(v1::JobSpec::Concurrency concurrency, const std::string& group = "") {
  return [=](v1::JobSpec& job) {
    job.set_concurrency(concurrency);
    job.set_concurrency_group(group);
  };
}

TEST_F(JobLife, SkipsWhatFindsAnother) {
  apply("shop", one_job("app:1", concurrent(v1::JobSpec::SKIP)));
  settle();
  ask();
  settle();
  ask();
  settle();
  EXPECT_THAT(states(), ElementsAre(v1::RUN_ACTIVE, v1::RUN_SKIPPED));
  EXPECT_EQ(status("job.2").message(), "job.1 was at work");
}

TEST_F(JobLife, TakesThePlaceOfAnother) {
  apply("shop", one_job("app:1", concurrent(v1::JobSpec::REPLACE_RUNNING)));
  settle();
  ask();
  settle();
  ask(), ask();
  settle();
  EXPECT_THAT(states(), ElementsAre(v1::RUN_CANCELLED, v1::RUN_CANCELLED, v1::RUN_ACTIVE));
  EXPECT_THAT(status("job.1").message(), HasSubstr("takes its place"));
}

TEST_F(JobLife, SideBySide) {
  apply("shop", one_job("app:1", concurrent(v1::JobSpec::SIDE_BY_SIDE)));
  settle();
  ask(), ask(), ask();
  settle();
  EXPECT_THAT(states(), ElementsAre(v1::RUN_ACTIVE, v1::RUN_ACTIVE, v1::RUN_ACTIVE));
}

TEST_F(JobLife, JobsOfAGroupAreNotSideBySide) {
  auto stack = with_job({}, "first", "app:1", concurrent(v1::JobSpec::QUEUE_BEHIND, "disk"));
  stack = with_job(stack, "second", "app:work", concurrent(v1::JobSpec::QUEUE_BEHIND, "disk"));
  stack = with_job(stack, "other", "app:work", no_change);
  apply("shop", stack);
  settle();
  const auto first = ask("first");
  settle();
  const auto second = ask("second"), other = ask("other");
  settle();
  EXPECT_EQ(state(first), v1::RUN_ACTIVE);
  EXPECT_EQ(state(second), v1::RUN_QUEUED);
  EXPECT_EQ(state(other), v1::RUN_SUCCEEDED);
  cancel(first);
  settle();
  EXPECT_EQ(state(second), v1::RUN_SUCCEEDED);
}

TEST_F(JobLife, TheHigherPriorityOvertakes) {
  const auto job = [](std::int32_t priority) -> Change {
    return [priority](v1::JobSpec& spec) {
      spec.set_concurrency_group("g");
      spec.set_priority(priority);
    };
  };
  apply("shop",
        with_job(with_job(with_job({}, "low", "app:1", job(1)), "mid", "app:1", job(2)), "high", "app:1", job(3)));
  settle();
  const auto first = ask("low");
  settle();
  const auto low = ask("low"), mid = ask("mid"), high = ask("high");
  settle();
  cancel(first);
  settle();
  EXPECT_EQ(state(high), v1::RUN_ACTIVE);
  EXPECT_EQ(state(mid), v1::RUN_QUEUED);
  cancel(high);
  settle();
  EXPECT_EQ(state(mid), v1::RUN_ACTIVE);
  EXPECT_EQ(state(low), v1::RUN_QUEUED);
}

// --- nodes ---

Change on_loss(v1::OnNodeLoss loss) {
  return [loss](v1::JobSpec& job) { job.set_on_node_loss(loss); };
}

class JobNodes : public JobLife {
 protected:
  // Every node but the run's; returns the run's.
  std::string begin(v1::OnNodeLoss loss) {
    add_node("b");
    apply("shop", one_job("app:1", on_loss(loss)));
    settle();
    run_ = ask();
    settle();
    return tasks_of(run_).at(0)->spec().assignment().node();
  }
  std::string run_;
};

TEST_F(JobNodes, BegunAnewElsewhere) {
  const auto node = begin(v1::REPLACE);
  silence(node);
  advance(seconds(40));
  EXPECT_EQ(unended(run_), 1u);
  ASSERT_EQ(tasks_of(run_).size(), 2u);
  EXPECT_EQ(state(run_), v1::RUN_ACTIVE);
  EXPECT_EQ(status(run_).failed(), 0u) << "no failure of the run's";
  bring_back(node);
  settle();
  EXPECT_EQ(unended(run_), 1u);
}

TEST_F(JobNodes, WaitedFor) {
  const auto node = begin(v1::WAIT);
  silence(node);
  advance(seconds(300));
  ASSERT_EQ(tasks_of(run_).size(), 1u);
  EXPECT_THAT(status(run_).message(), HasSubstr("which does not answer"));
  bring_back(node);
  settle();
  EXPECT_EQ(tasks_of(run_)[0]->status().state(), v1::RUNNING);
  EXPECT_EQ(status(run_).message(), "");
}

TEST_F(JobNodes, FencedIsNeverTwiceAtOnce) {
  const auto node = begin(v1::FENCE);
  silence(node);
  advance(seconds(31));
  EXPECT_EQ(tasks_of(run_).size(), 1u) << "its lease is over, its grace is not";
  advance(seconds(18));
  EXPECT_EQ(tasks_of(run_).size(), 1u);
  advance(seconds(5));
  EXPECT_EQ(tasks_of(run_).size(), 2u);
}

TEST_F(JobNodes, LeavesADrainedNode) {
  const auto node = begin(v1::REPLACE);
  change_node(node, [](v1::Node& changed) { changed.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  settle();
  EXPECT_EQ(unended(run_), 1u);
  for (const auto& task : tasks_of(run_)) EXPECT_NE(task->spec().assignment().node(), node);
  EXPECT_EQ(status(run_).failed(), 0u);
}

TEST_F(JobNodes, WhatEndedHoldsUpNoNodeThatLeaves) {
  add_node("b");
  apply("shop", one_job("app:work", [](v1::JobSpec& job) { job.set_completions(4); }));
  settle();
  const auto run = ask();
  settle();
  EXPECT_EQ(state(run), v1::RUN_SUCCEEDED);
  for (const auto& name : {"a", "b"})
    change_node(name, [this](v1::Node& node) {
      node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED);
      core::add_finalizer(*node.mutable_meta(), core::kNodeFinalizer);
      core::mark_deleted(*node.mutable_meta(), clock_.wall());
    });
  advance(seconds(3));
  EXPECT_TRUE(tasks_of(run).empty());
  EXPECT_TRUE(view().nodes().all().empty());
  EXPECT_EQ(state(run), v1::RUN_SUCCEEDED);
}

// --- the end ---

TEST_F(JobLife, EndedRunsGoWhenTheirTimeIsOver) {
  apply("shop", one_job("app:work", [](v1::JobSpec& job) { job.mutable_keep()->set_seconds(100); }));
  settle();
  ask();
  settle();
  advance(seconds(60));
  ask();
  settle();
  EXPECT_EQ(states().size(), 2u);
  advance(seconds(45));
  EXPECT_EQ(states().size(), 1u);
  EXPECT_TRUE(tasks_of("job.1").empty());
  EXPECT_EQ(ask(), "job.3") << "a number is never given twice";
}

TEST_F(JobLife, NoMoreAreKeptThanTheBound) {
  apply("shop", one_job("app:done", [](v1::JobSpec& job) { job.set_concurrency(v1::JobSpec::SIDE_BY_SIDE); }));
  settle();
  for (std::size_t i = 0; i < kRunsKept + 15; ++i) {
    ask();
    settle();
  }
  EXPECT_EQ(states().size(), kRunsKept);
  EXPECT_EQ(view().tasks().all().size(), kRunsKept);
}

TEST_F(JobLife, AJobThatIsNoLongerNamedTakesItsRunsAlong) {
  apply("shop", with_job(one_job("app:1"), "other", "app:work", no_change));
  settle();
  const auto run = ask(), other = ask("other");
  settle();
  apply("shop", with_job({}, "other", "app:work", no_change));
  settle();
  EXPECT_FALSE(view().jobs().find("shop", "job"));
  EXPECT_FALSE(view().runs().find("shop", run));
  EXPECT_TRUE(tasks_of(run).empty());
  EXPECT_EQ(state(other), v1::RUN_SUCCEEDED);
}

TEST_F(JobLife, AStackGoesWithItsJobs) {
  apply("shop", one_job("app:1", scheduled("* * * * *")));
  settle();
  ask();
  settle();
  remove_stack("shop");
  settle();
  EXPECT_TRUE(view().stacks().all().empty());
  EXPECT_TRUE(view().jobs().all().empty());
  EXPECT_TRUE(view().runs().all().empty());
  EXPECT_TRUE(view().tasks().all().empty());
  EXPECT_TRUE(view().networks().all().empty());
}

// --- places ---

Change reserving(std::int64_t cores, std::int32_t priority = 0) {
  return [=](v1::JobSpec& job) {
    job.mutable_container()->mutable_reservations()->set_nano_cpus(cores * 1'000'000'000);
    job.set_priority(priority);
    job.set_concurrency(v1::JobSpec::SIDE_BY_SIDE);
  };
}

TEST_F(JobLife, WaitsForRoom) {
  apply("shop", one_job("app:1", reserving(4)));
  settle();
  const auto first = ask(), second = ask();
  settle();
  EXPECT_THAT(status(second).message(), HasSubstr("job.2.0 has no place: 0 of 1 node"));
  cancel(first);
  settle();
  EXPECT_EQ(tasks_of(second)[0]->status().state(), v1::RUNNING);
}

TEST_F(JobLife, RoomGoesToTheHigherPriority) {
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

TEST_F(JobLife, RoomIsSharedBetweenStacks) {
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

TEST_F(JobLife, PreemptsNoMoreThanItMust) {
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

TEST_F(JobLife, DoesNotPreemptWithoutBeingToldTo) {
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

TEST_F(JobLife, StrategiesOfPlacement) {
  add_node("b");
  add_node("c");
  const auto with = [](v1::JobSpec::Placement placement) -> Change {
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
