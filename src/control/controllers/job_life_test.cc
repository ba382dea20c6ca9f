// Runs of jobs from their beginning to when they are forgotten, with all controllers and a turned clock.

#include <algorithm>

#include "control/controllers/job_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;

class JobLife : public JobFixture {};

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

// As CreateJob writes it.
v1::StackSpec made_on_the_spot(v1::StackSpec stack, const std::string& name, const std::string& image) {
  stack = with_job(std::move(stack), name, image, [](v1::JobSpec& job) {
    job.set_goes_with_runs(true);
    job.mutable_keep()->set_seconds(100);
  });
  stack.mutable_jobs(stack.jobs_size() - 1)->set_standalone(true);
  return stack;
}

TEST_F(JobLife, AJobMadeOnTheSpotGoesWithTheLastOfItsRuns) {
  apply("shop", made_on_the_spot(one_job("app:1"), "once", "app:work"));
  settle();
  ask("once");
  settle();
  advance(seconds(60));
  ask("once");
  settle();
  advance(seconds(60));
  EXPECT_FALSE(view().runs().find("shop", "once.1"));
  EXPECT_TRUE(view().jobs().find("shop", "once")) << "one of its runs is kept still";
  advance(seconds(60));
  EXPECT_FALSE(view().jobs().find("shop", "once"));
  EXPECT_EQ(view().stacks().find("shop")->spec().jobs_size(), 1) << "an apply wouldn't bring it back";
  EXPECT_TRUE(view().jobs().find("shop", "job"));
}

TEST_F(JobLife, AStackThatCameWithAJobMadeOnTheSpotGoesWithIt) {
  apply("shop", made_on_the_spot({}, "once", "app:work"));
  settle();
  ask("once");
  settle();
  advance(seconds(120));
  EXPECT_TRUE(view().stacks().all().empty());
  EXPECT_TRUE(view().jobs().all().empty());
}

TEST_F(JobLife, AJobMadeOnTheSpotThatNobodyRanWaitsAnHour) {
  apply("shop", made_on_the_spot({}, "once", "app:work"));
  settle();
  restart_controllers(minutes(50));
  settle();
  EXPECT_TRUE(view().jobs().find("shop", "once"));
  restart_controllers(minutes(11));
  settle();
  EXPECT_FALSE(view().jobs().find("shop", "once"));
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

}  // namespace
}  // namespace orchion::control::controllers
