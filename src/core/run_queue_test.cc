#include "core/run_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Draft {
  std::string job;
  std::uint64_t number;
  v1::RunState state = v1::RUN_QUEUED;
  std::int32_t priority = 0;
  std::int64_t asked_at = 0;
  v1::JobSpec::Concurrency concurrency = v1::JobSpec::SIDE_BY_SIDE;
  std::string queue = "gpu";
};

RunList runs_of(const std::vector<Draft>& drafts) {
  RunList runs;
  for (const auto& draft : drafts) {
    auto run = std::make_shared<v1::Run>();
    run->mutable_meta()->set_name(draft.job + "." + std::to_string(draft.number));
    run->mutable_meta()->mutable_created_at()->set_seconds(draft.asked_at);
    run->mutable_spec()->set_job(draft.job);
    run->mutable_spec()->set_number(draft.number);
    auto& spec = *run->mutable_spec()->mutable_template_();
    spec.set_queue(draft.queue);
    spec.set_priority(draft.priority);
    spec.set_concurrency(draft.concurrency);
    run->mutable_status()->set_state(draft.state);
    runs.push_back(std::move(run));
  }
  return runs;
}

std::vector<std::string> next_in(std::uint32_t slots, const RunList& runs) {
  std::vector<std::string> names;
  for (const auto& run : line_of("gpu", slots, runs).next) names.push_back(run->meta().name());
  return names;
}

TEST(RunQueue, AsManyAsSlotsAreFree) {
  const auto runs = runs_of({{"a", 1, v1::RUN_ACTIVE}, {"a", 2, v1::RUN_CANCELLING}, {"a", 3}, {"a", 4}});
  EXPECT_THAT(next_in(1, runs), IsEmpty());
  EXPECT_THAT(next_in(2, runs), IsEmpty()) << "what is being stopped is still there";
  EXPECT_THAT(next_in(3, runs), ElementsAre("a.3"));
  EXPECT_THAT(next_in(0, runs), ElementsAre("a.3", "a.4"));
  const auto line = line_of("gpu", 2, runs);
  EXPECT_EQ(line.active, 2u);
  EXPECT_EQ(line.waiting, 2u);
  EXPECT_EQ(next_of("gpu", runs)->meta().name(), "a.3");
  EXPECT_EQ(next_of("other", runs), nullptr);
}

TEST(RunQueue, PriorityThenFewestAtWorkThenAge) {
  const auto runs = runs_of({{"a", 1, v1::RUN_ACTIVE},
                             {"a", 2, v1::RUN_QUEUED, 0, 1},
                             {"a", 3, v1::RUN_QUEUED, 0, 2},
                             {"a", 4, v1::RUN_QUEUED, 7, 9},
                             {"b", 1, v1::RUN_QUEUED, 0, 5},
                             {"b", 2, v1::RUN_QUEUED, 0, 6},
                             {"c", 1, v1::RUN_QUEUED, 0, 4}});
  EXPECT_THAT(next_in(7, runs), ElementsAre("a.4", "c.1", "b.1", "b.2", "a.2", "a.3"));
}

TEST(RunQueue, OthersDontCount) {
  const auto runs = runs_of({{"a", 1, v1::RUN_ACTIVE, 0, 0, v1::JobSpec::SIDE_BY_SIDE, "cpu"},
                             {"b", 1, v1::RUN_ACTIVE, 0, 0, v1::JobSpec::SIDE_BY_SIDE, ""},
                             {"c", 1}});
  EXPECT_THAT(next_in(1, runs), ElementsAre("c.1"));
}

TEST(RunQueue, WhoWaitsForItsGroupTakesNoSlot) {
  const auto behind = v1::JobSpec::QUEUE_BEHIND;
  const auto runs = runs_of({{"a", 1, v1::RUN_ACTIVE, 0, 0, behind},
                             {"a", 2, v1::RUN_QUEUED, 0, 1, behind},
                             {"b", 1, v1::RUN_QUEUED, 0, 3, behind},
                             {"b", 2, v1::RUN_QUEUED, 0, 2, behind}});
  EXPECT_THAT(next_in(9, runs), ElementsAre("b.2")) << "the older of its group, whatever its number";
  EXPECT_EQ(line_of("gpu", 9, runs).waiting, 3u);
}

TEST(RunQueue, WhatIsToGoWaitsForNothing) {
  auto runs = runs_of({{"a", 1}, {"a", 2}});
  auto cancelled = std::make_shared<v1::Run>(*runs[0]);
  cancelled->mutable_spec()->set_cancelled(true);
  runs[0] = cancelled;
  EXPECT_THAT(next_in(1, runs), ElementsAre("a.2"));
}

}  // namespace
}  // namespace orchion::core
