// Whose turn it is among runs that are not to be side by side: groups and queues.

#include <algorithm>

#include "control/controllers/job_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class JobTurns : public JobFixture {};

JobChange concurrent(v1::JobSpec::Concurrency concurrency, const std::string& group = "") {
  return [=](v1::JobSpec& job) {
    job.set_concurrency(concurrency);
    job.set_concurrency_group(group);
  };
}

TEST_F(JobTurns, SkipsWhatFindsAnother) {
  apply("shop", one_job("app:1", concurrent(v1::JobSpec::SKIP)));
  settle();
  ask();
  settle();
  ask();
  settle();
  EXPECT_THAT(states(), ElementsAre(v1::RUN_ACTIVE, v1::RUN_SKIPPED));
  EXPECT_EQ(status("job.2").message(), "job.1 was at work");
}

TEST_F(JobTurns, TakesThePlaceOfAnother) {
  apply("shop", one_job("app:1", concurrent(v1::JobSpec::REPLACE_RUNNING)));
  settle();
  ask();
  settle();
  ask(), ask();
  settle();
  EXPECT_THAT(states(), ElementsAre(v1::RUN_CANCELLED, v1::RUN_CANCELLED, v1::RUN_ACTIVE));
  EXPECT_THAT(status("job.1").message(), HasSubstr("takes its place"));
}

TEST_F(JobTurns, SideBySide) {
  apply("shop", one_job("app:1", concurrent(v1::JobSpec::SIDE_BY_SIDE)));
  settle();
  ask(), ask(), ask();
  settle();
  EXPECT_THAT(states(), ElementsAre(v1::RUN_ACTIVE, v1::RUN_ACTIVE, v1::RUN_ACTIVE));
}

TEST_F(JobTurns, JobsOfAGroupAreNotSideBySide) {
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

TEST_F(JobTurns, TheHigherPriorityOvertakes) {
  const auto job = [](std::int32_t priority) -> JobChange {
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

}  // namespace
}  // namespace orchion::control::controllers
