// Runs that a schedule makes, and those that nobody could begin.

#include <algorithm>

#include "control/controllers/job_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class JobSchedules : public JobFixture {};

TEST_F(JobSchedules, EachSlotOnce) {
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

TEST_F(JobSchedules, SlotsThatNobodyCouldBeginAreRecorded) {
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

TEST_F(JobSchedules, AfterALongAbsenceTheRestIsANumber) {
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

TEST_F(JobSchedules, ALongStartingDeadlineMakesUpForSome) {
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

TEST_F(JobSchedules, APausedScheduleMakesNothingAndMissesNothing) {
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

TEST_F(JobSchedules, AnotherScheduleSaysNothingAboutTheTimeBefore) {
  apply("shop", one_job("app:work", scheduled("0 0 1 1 *")));
  settle();
  advance(seconds(300));
  apply("shop", one_job("app:work", scheduled("* * * * *")));
  settle();
  EXPECT_LE(states().size(), 1u);
  EXPECT_THAT(states(), Not(Contains(v1::RUN_MISSED)));
}

}  // namespace
}  // namespace orchion::control::controllers
