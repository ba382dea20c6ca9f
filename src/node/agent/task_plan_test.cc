#include "node/agent/task_plan.h"

#include <gtest/gtest.h>

#include "core/timestamps.h"

namespace orchion::node::agent {
namespace {

constexpr base::Time kNow(std::chrono::seconds(1000));
constexpr base::Time kLater(std::chrono::seconds(1001));

AttemptEnd exited(int code) {
  return {runtimes::ExitStatus{.code = code}, ""};
}

struct PlanCase {
  const char* name;
  void (*change)(TaskView&);
  Step expected;
};

void PrintTo(const PlanCase& c, std::ostream* out) {
  *out << c.name;
}

class Plan : public testing::TestWithParam<PlanCase> {};

TEST_P(Plan, ChoosesTheNextStep) {
  TaskView view;
  view.not_before = kNow;
  view.grace_ends = kNow;
  GetParam().change(view);
  const auto step = next_step(view, kNow);
  EXPECT_EQ(static_cast<int>(step.kind), static_cast<int>(GetParam().expected.kind));
  EXPECT_EQ(step.until.time_since_epoch().count(), GetParam().expected.until.time_since_epoch().count());
}

void run(TaskView& v) {
  v.image_ready = v.container_ready = v.running = v.holds_resources = true;
  v.state = v1::RUNNING;
  v.published = true;
}
void end_with(TaskView& v, int code) {
  run(v);
  v.running = false;
  v.end = exited(code);
}
void end_as(TaskView& v, v1::TaskState state) {
  v.state = state;
  v.holds_resources = true;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Plan,
    testing::Values(
        PlanCase{"Fresh", [](TaskView&) {}, {StepKind::kPrepareImage}},
        PlanCase{"WithoutTheNetworkThatItShares",
                 [](TaskView& v) {
                   v.image_ready = true;
                   v.network_there = false;
                 },
                 {StepKind::kWait, base::Time::max()}},
        PlanCase{"FetchesItsImageMeanwhile", [](TaskView& v) { v.network_there = false; }, {StepKind::kPrepareImage}},
        PlanCase{"RunsOnWhenTheNetworkThatItSharesGoes",
                 [](TaskView& v) {
                   run(v);
                   v.network_there = false;
                 },
                 {StepKind::kWait, base::Time::max()}},
        PlanCase{"EndedWithOthersInItsNetwork",
                 [](TaskView& v) {
                   end_as(v, v1::STOPPED);
                   v.wanted = false;
                   v.network_shared = true;
                 },
                 {StepKind::kWait, base::Time::max()}},
        PlanCase{"StopsWithOthersInItsNetwork",
                 [](TaskView& v) {
                   run(v);
                   v.wanted = false;
                   v.network_shared = true;
                 },
                 {StepKind::kStop}},
        PlanCase{"Ill", [](TaskView& v) { run(v), v.unhealthy = true; }, {StepKind::kInterrupt}},
        PlanCase{"IllAndToBeLeft",
                 [](TaskView& v) {
                   run(v);
                   v.unhealthy = true;
                   v.policy.set_condition(v1::RestartPolicy::NO);
                 },
                 {StepKind::kWait, base::Time::max()}},
        PlanCase{"IllTooOften",
                 [](TaskView& v) {
                   run(v);
                   v.unhealthy = true;
                   v.restarts = 2;
                   v.policy.set_max_attempts(2);
                 },
                 {StepKind::kWait, base::Time::max()}},
        PlanCase{"Interrupted",
                 [](TaskView& v) {
                   run(v);
                   v.unhealthy = v.interrupted = true;
                   v.grace_ends = kLater;
                 },
                 {StepKind::kWait, kLater}},
        PlanCase{
            "InterruptedForLong", [](TaskView& v) { run(v), v.unhealthy = v.interrupted = true; }, {StepKind::kKill}},
        PlanCase{"FailedBefore", [](TaskView& v) { v.not_before = kLater; }, {StepKind::kWait, kLater}},
        PlanCase{"Image", [](TaskView& v) { v.image_ready = true; }, {StepKind::kPrepareContainer}},
        PlanCase{"Container", [](TaskView& v) { v.image_ready = v.container_ready = true; }, {StepKind::kStart}},
        PlanCase{"Running", [](TaskView& v) { run(v); }, {StepKind::kWait}},
        PlanCase{"Unpublished", [](TaskView& v) { run(v), v.published = false; }, {StepKind::kPublish}},
        PlanCase{"PublishFailed",
                 [](TaskView& v) { run(v), v.published = false, v.not_before = kLater; },
                 {StepKind::kWait, kLater}},
        PlanCase{"Crashed", [](TaskView& v) { end_with(v, 1); }, {StepKind::kRestart}},
        PlanCase{"Succeeded", [](TaskView& v) { end_with(v, 0); }, {StepKind::kFinish}},
        PlanCase{"Backoff",
                 [](TaskView& v) { v.state = v1::STARTING, v.container_ready = true, v.not_before = kLater; },
                 {StepKind::kWait, kLater}},
        PlanCase{"UnwantedFresh", [](TaskView& v) { v.wanted = false; }, {StepKind::kFinish}},
        PlanCase{
            "UnwantedInBackoff", [](TaskView& v) { v.wanted = false, v.not_before = kLater; }, {StepKind::kFinish}},
        PlanCase{"UnwantedRunning", [](TaskView& v) { run(v), v.wanted = false; }, {StepKind::kStop}},
        PlanCase{"InGrace",
                 [](TaskView& v) { run(v), v.wanted = false, v.stop_signalled = true, v.grace_ends = kLater; },
                 {StepKind::kWait, kLater}},
        PlanCase{
            "GraceOver", [](TaskView& v) { run(v), v.wanted = false, v.stop_signalled = true; }, {StepKind::kKill}},
        PlanCase{"Killed",
                 [](TaskView& v) { run(v), v.wanted = false, v.stop_signalled = v.kill_signalled = true; },
                 {StepKind::kWait}},
        PlanCase{"EndedInGrace",
                 [](TaskView& v) { end_with(v, 143), v.wanted = false, v.stop_signalled = true; },
                 {StepKind::kFinish}},
        PlanCase{
            "WantedAgainInGrace", [](TaskView& v) { end_with(v, 143), v.stop_signalled = true; }, {StepKind::kFinish}},
        PlanCase{"EndedKept", [](TaskView& v) { end_as(v, v1::SUCCEEDED); }, {StepKind::kRelease}},
        PlanCase{
            "EndedReleased", [](TaskView& v) { end_as(v, v1::FAILED), v.holds_resources = false; }, {StepKind::kWait}},
        PlanCase{"EndedUnwanted", [](TaskView& v) { end_as(v, v1::STOPPED), v.wanted = false; }, {StepKind::kRemove}},
        PlanCase{"ReleasedUnwanted",
                 [](TaskView& v) { end_as(v, v1::FAILED), v.wanted = false, v.holds_resources = false; },
                 {StepKind::kRemove}},
        PlanCase{"CleaningFailed",
                 [](TaskView& v) { end_as(v, v1::STOPPED), v.wanted = false, v.not_before = kLater; },
                 {StepKind::kWait, kLater}},
        PlanCase{"Removed",
                 [](TaskView& v) { end_as(v, v1::STOPPED), v.wanted = false, v.removed = true; },
                 {StepKind::kWait}}),
    [](const auto& param) { return param.param.name; });

struct PolicyCase {
  v1::RestartPolicy::Condition condition;
  std::uint32_t max_attempts;
  std::uint32_t restarts;
  AttemptEnd end;
  bool expected;
};

TEST(Restarts, FollowThePolicy) {
  using Policy = v1::RestartPolicy;
  AttemptEnd oom = exited(0);
  oom.exit->oom_killed = true;
  const PolicyCase cases[] = {
      {Policy::DEFAULT, 0, 0, exited(0), false},   {Policy::DEFAULT, 0, 99, exited(1), true},
      {Policy::DEFAULT, 0, 0, {}, true},           {Policy::DEFAULT, 0, 0, oom, true},
      {Policy::NO, 0, 0, exited(1), false},        {Policy::NO, 0, 0, {}, false},
      {Policy::ON_FAILURE, 0, 7, exited(1), true}, {Policy::ON_FAILURE, 0, 0, exited(0), false},
      {Policy::ON_FAILURE, 2, 1, exited(1), true}, {Policy::ON_FAILURE, 2, 2, exited(1), false},
      {Policy::ALWAYS, 0, 5, exited(0), true},     {Policy::UNLESS_STOPPED, 0, 5, exited(0), true},
  };
  for (const auto& c : cases) {
    Policy policy;
    policy.set_condition(c.condition);
    policy.set_max_attempts(c.max_attempts);
    EXPECT_EQ(restarts_after(policy, c.restarts, c.end), c.expected)
        << Policy::Condition_Name(c.condition) << " " << c.restarts << "/" << c.max_attempts;
  }
}

TEST(FinalState, SaysWhoEndedIt) {
  TaskView view;
  EXPECT_EQ(final_state(view), v1::STOPPED);  // it never ran
  view.end = exited(0);
  EXPECT_EQ(final_state(view), v1::SUCCEEDED);
  view.end = exited(3);
  EXPECT_EQ(final_state(view), v1::FAILED);
  view.end = AttemptEnd{};
  EXPECT_EQ(final_state(view), v1::FAILED);
  view.stop_signalled = true;
  EXPECT_EQ(final_state(view), v1::STOPPED);
}

TEST(DescribeEnd, SaysWhatToDo) {
  EXPECT_EQ(describe_end(exited(3), 0), "exited with 3");
  EXPECT_EQ(describe_end({runtimes::ExitStatus{.code = 139, .signal = 11}, ""}, 0), "was killed by signal 11");
  EXPECT_EQ(describe_end({runtimes::ExitStatus{.code = 137, .signal = 9, .oom_killed = true}, ""}, 64 << 20),
            "used more than its 64 MiB of memory and was killed: raise its limit");
  EXPECT_EQ(describe_end({runtimes::ExitStatus{.code = 127}, "no such command"}, 0), "no such command");
}

struct AdoptCase {
  const char* name;
  v1::TaskState state;
  std::uint32_t attempt;
  const char* boot_id;
  std::optional<runtimes::ContainerInfo> container;
  bool running;
  bool ended;
  v1::TaskState expected_state;
  std::uint32_t expected_attempt;
};

runtimes::ContainerInfo container(runtimes::ContainerPhase phase, std::uint32_t attempt) {
  runtimes::ContainerInfo info{.id = "a", .phase = phase, .attempt = attempt};
  if (phase == runtimes::ContainerPhase::kRunning) info.pid = 77;
  if (phase == runtimes::ContainerPhase::kExited) info.exit = runtimes::ExitStatus{.code = 1};
  return info;
}

TEST(Adopt, BringsTheCheckpointUpToDate) {
  using Phase = runtimes::ContainerPhase;
  const AdoptCase cases[] = {
      {"runs on", v1::STARTING, 1, "b", container(Phase::kRunning, 1), true, false, v1::RUNNING, 1},
      {"was stopping", v1::STOPPING, 1, "b", container(Phase::kRunning, 1), true, false, v1::STOPPING, 1},
      {"ended meanwhile", v1::STARTING, 1, "b", container(Phase::kExited, 1), false, true, v1::STARTING, 1},
      {"between attempts", v1::STARTING, 2, "b", container(Phase::kExited, 1), false, false, v1::STARTING, 2},
      {"prepared only", v1::STARTING, 1, "b", container(Phase::kPrepared, 0), false, false, v1::STARTING, 1},
      {"never prepared", v1::PREPARING, 1, "b", std::nullopt, false, false, v1::PREPARING, 1},
      {"never prepared, rebooted", v1::PREPARING, 1, "old", std::nullopt, false, false, v1::PREPARING, 1},
      {"rebooted", v1::STARTING, 1, "old", std::nullopt, false, true, v1::STARTING, 1},
      {"container gone", v1::RUNNING, 3, "b", std::nullopt, false, true, v1::RUNNING, 3},
      {"ended long ago", v1::FAILED, 1, "old", std::nullopt, false, false, v1::FAILED, 1},
  };
  for (const auto& c : cases) {
    v1::TaskCheckpoint checkpoint;
    checkpoint.set_boot_id(c.boot_id);
    checkpoint.mutable_status()->set_state(c.state);
    checkpoint.mutable_status()->set_attempt(c.attempt);
    const auto adoption = adopt(checkpoint, c.container, "b", base::WallTime());
    EXPECT_EQ(adoption.running, c.running) << c.name;
    EXPECT_EQ(adoption.end.has_value(), c.ended) << c.name;
    EXPECT_EQ(adoption.status.state(), c.expected_state) << c.name;
    EXPECT_EQ(adoption.status.attempt(), c.expected_attempt) << c.name;
    EXPECT_EQ(adoption.status.pid(), c.running ? 77 : 0) << c.name;
    EXPECT_EQ(adoption.status.container_id(), c.running ? "a" : "") << c.name;
  }
}

TEST(Adopt, KnowsWhenItStartedThoughItHasEnded) {
  v1::TaskCheckpoint checkpoint;
  checkpoint.set_boot_id("b");
  checkpoint.mutable_status()->set_state(v1::STARTING);
  checkpoint.mutable_status()->set_attempt(2);
  checkpoint.mutable_status()->mutable_started_at()->set_seconds(5);  // of the attempt before
  auto ended = container(runtimes::ContainerPhase::kExited, 2);
  ended.started_at = base::WallTime(std::chrono::seconds(9));
  EXPECT_EQ(adopt(checkpoint, ended, "b", base::WallTime()).status.started_at().seconds(), 9);
}

TEST(FirstStatus, GoesOnWhereTheTaskWas) {
  v1::Task task;
  EXPECT_EQ(first_status(task, base::WallTime()).attempt(), 1u);
  EXPECT_EQ(first_status(task, base::WallTime()).state(), v1::ASSIGNED);
  task.mutable_status()->set_state(v1::RUNNING);
  task.mutable_status()->set_attempt(2);
  EXPECT_EQ(first_status(task, base::WallTime()).attempt(), 3u);
  task.mutable_status()->set_state(v1::FAILED);
  EXPECT_EQ(first_status(task, base::WallTime()).state(), v1::FAILED);
  EXPECT_EQ(first_status(task, base::WallTime()).attempt(), 2u);
}

}  // namespace
}  // namespace orchion::node::agent
