#include "control/controllers/service_planner.h"

#include <gtest/gtest.h>

#include "control/controllers/decisions.h"
#include "core/defaults.h"
#include "core/fingerprint.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Now kNow{base::Time(seconds(1000)), base::WallTime(seconds(1767225600))};

// One service with tasks in hand-made states on a node "a".
struct Scene {
  v1::Service service;
  std::vector<v1::Task> tasks;
  std::vector<v1::Revision> revisions;
  v1::Node node;
  std::map<std::string, base::Time> ended_since, running_since, silent_since;
  bool paused = false;

  explicit Scene(std::uint32_t replicas = 1) {
    service.mutable_meta()->set_stack("shop");
    service.mutable_meta()->set_name("web");
    service.mutable_meta()->set_generation(1);
    service.mutable_spec()->mutable_container()->set_image("app:1");
    service.mutable_spec()->set_replicas(replicas);
    core::fill_defaults(*service.mutable_spec());
    service.mutable_spec()->mutable_container()->clear_networks();
    node.mutable_meta()->set_name("a");
    node.mutable_meta()->set_uid("uid-a");
    node.mutable_status()->set_state(v1::NodeStatus::READY);
    keep_revision();
  }

  // The service's spec as it is now becomes a revision, and what tasks are made of.
  void keep_revision() {
    v1::Revision revision;
    revision.mutable_meta()->set_stack("shop");
    revision.mutable_meta()->set_name("web." + std::to_string(service.meta().generation()));
    revision.mutable_spec()->set_service("web");
    *revision.mutable_spec()->mutable_template_() = service.spec();
    revision.mutable_spec()->set_fingerprint(core::fingerprint(service.spec()));
    service.mutable_status()->set_revision(revision.meta().name());
    revisions.push_back(std::move(revision));
  }

  void change_image(const std::string& image) {
    service.mutable_spec()->mutable_container()->set_image(image);
    service.mutable_meta()->set_generation(service.meta().generation() + 1);
  }

  v1::Task& add(std::uint32_t slot, v1::TaskState state) {
    v1::Task task;
    const std::string uid = "t" + std::to_string(tasks.size());
    task.mutable_meta()->set_stack("shop");
    task.mutable_meta()->set_name("web." + std::to_string(slot) + "." + uid);
    task.mutable_meta()->set_uid(uid);
    task.mutable_meta()->add_finalizers(core::kAgentFinalizer);
    *task.mutable_meta()->mutable_created_at() =
        core::to_timestamp(kNow.wall - seconds(1000 - static_cast<int>(tasks.size())));
    task.mutable_spec()->set_service("web");
    task.mutable_spec()->set_slot(slot);
    task.mutable_spec()->set_revision(revisions.back().meta().name());
    task.mutable_spec()->mutable_assignment()->set_node("a");
    task.mutable_spec()->mutable_assignment()->set_node_uid("uid-a");
    task.mutable_status()->set_state(state);
    task.mutable_status()->set_attempt(1);
    return tasks.emplace_back(std::move(task));
  }

  Plan plan() const {
    static const Allocations kEmpty;
    ServiceSnapshot snapshot;
    snapshot.service = std::make_shared<v1::Service>(service);
    for (const auto& task : tasks) snapshot.tasks.push_back(std::make_shared<v1::Task>(task));
    for (const auto& revision : revisions) snapshot.revisions.push_back(std::make_shared<v1::Revision>(revision));
    snapshot.cluster.nodes = NodeList({std::make_shared<v1::Node>(node)});
    snapshot.cluster.allocations = &kEmpty;
    snapshot.replacement_paused = paused;
    snapshot.ended_since = ended_since;
    snapshot.running_since = running_since;
    snapshot.silent_since = silent_since;
    snapshot.lease = seconds(30);
    base::Random random(7);
    return plan_service(snapshot, kNow, random);
  }
};

// What happens to tasks, in order: "+1" a task made in slot 1, "-2" the one in slot 2 stopped, "!3" given up as lost,
// "x4" removed without a trace.
std::vector<std::string> actions(const Plan& plan) {
  std::vector<std::string> result;
  for (const auto& unit : plan.units)
    for (const auto& write : unit)
      if (const auto* task = std::get_if<v1::Task>(&write.object)) {
        const char* sign = write.verb == Verb::kCreate                        ? "+"
                           : write.verb == Verb::kRemove                      ? "x"
                           : task->spec().desired_state() == v1::DESIRED_LOST ? "!"
                                                                              : "-";
        result.push_back(sign + std::to_string(task->spec().slot()));
      }
  return result;
}

v1::ServiceStatus status(const Scene& scene) {
  v1::ServiceStatus result = scene.service.status();
  for (const auto& unit : scene.plan().units)
    for (const auto& write : unit)
      if (const auto* service = std::get_if<v1::Service>(&write.object)) result = service->status();
  return result;
}

using Actions = std::vector<std::string>;

TEST(ServicePlanner, FillsSlotsAndStopsTheHighestFirst) {
  Scene scene(3);
  scene.add(2, v1::RUNNING);
  EXPECT_EQ(actions(scene.plan()), (Actions{"+1", "+3"}));
  scene.service.mutable_spec()->set_replicas(0);
  scene.add(1, v1::RUNNING);
  EXPECT_EQ(actions(scene.plan()), (Actions{"-2", "-1"}));
}

TEST(ServicePlanner, TheFirstRevisionComesWithTheFirstTasks) {
  Scene scene(1);
  scene.revisions.clear();
  scene.service.mutable_status()->clear_revision();
  const Plan plan = scene.plan();
  ASSERT_FALSE(plan.units.empty());
  const auto* revision = std::get_if<v1::Revision>(&plan.units[0][0].object);
  ASSERT_NE(revision, nullptr);
  EXPECT_EQ(revision->meta().name(), "web.1");
  EXPECT_EQ(actions(plan), (Actions{"+1"}));
}

// What this plan decides about tasks and by whom, in order: "1 Created user admin", of those that go "1 Removed …".
std::vector<std::string> decisions(const Plan& plan) {
  std::vector<std::string> result;
  for (const auto& unit : plan.units)
    for (const auto& write : unit)
      if (const auto* task = std::get_if<v1::Task>(&write.object); task != nullptr && write.verb != Verb::kRemove) {
        for (const auto& change : task->spec().changes())
          result.push_back(std::to_string(task->spec().slot()) + " " + change.reason() + " " + change.actor());
      }
  return result;
}

TEST(ServicePlanner, TasksSayWhoWantedThem) {
  Scene scene(1);
  scene.service.mutable_meta()->set_changed_by("user admin");
  EXPECT_EQ(decisions(scene.plan()), (Actions{"1 Created user admin", "1 Placed controller services"}));
  scene.add(1, v1::RUNNING);
  scene.service.mutable_spec()->set_replicas(0);
  EXPECT_EQ(decisions(scene.plan()), (Actions{"1 ScaledDown user admin"}));
  scene.service.mutable_spec()->set_stopped(true);
  EXPECT_EQ(decisions(scene.plan()), (Actions{"1 ServiceStopped user admin"}));
  scene.service.mutable_meta()->clear_changed_by();
  EXPECT_EQ(decisions(scene.plan()), (Actions{"1 ServiceStopped controller services"}));
}

TEST(ServicePlanner, WhatNobodyAskedForIsTheControllers) {
  Scene scene(1);
  scene.service.mutable_meta()->set_changed_by("user admin");
  scene.add(1, v1::FAILED);
  scene.ended_since["t0"] = kNow.time - std::chrono::hours(1);
  EXPECT_EQ(decisions(scene.plan()), (Actions{"1 Replaced controller services", "1 Created controller services",
                                              "1 Placed controller services"}));
}

TEST(ServicePlanner, AnEmptySlotRemembersWhyItIs) {
  Scene scene(1);
  scene.service.mutable_meta()->set_changed_by("user admin");
  const auto created = [&](const core::Decision& last) {
    v1::Task former;
    former.mutable_meta()->set_name("web.1.former");
    former.mutable_meta()->set_uid("former");
    core::note_decision(former, last, kNow.wall);
    const auto record =
        std::make_shared<v1::TaskRecord>(core::make_task_record(former, {"Removed", "", "agent a"}, kNow.wall));
    ServiceSnapshot snapshot;
    snapshot.service = std::make_shared<v1::Service>(scene.service);
    snapshot.gone.emplace(1, record);
    const auto beginning = ServiceDecisions(snapshot).in_empty_slot(1, nullptr);
    return beginning.predecessor + " " + beginning.why.actor + ": " + beginning.why.message;
  };
  EXPECT_EQ(created({"NodeDrained", "node a is drained", "user eve"}),
            "former user eve: in place of web.1.former (node a is drained)");
  EXPECT_EQ(created({"ScaledDown", "", "user eve"}), " user admin: service web has 1 task");
}

// What each revision's image is pinned to by this plan.
std::map<std::string, std::string> pins(const Scene& scene) {
  std::map<std::string, std::string> result;
  for (const auto& unit : scene.plan().units)
    for (const auto& write : unit)
      if (const auto* revision = std::get_if<v1::Revision>(&write.object); revision && write.verb == Verb::kPutStatus)
        result[revision->meta().name()] = revision->status().image_digest();
  return result;
}

using Pins = std::map<std::string, std::string>;

TEST(ServicePlanner, TheFirstTaskThatHasTheImagePinsItForAll) {
  Scene scene(3);
  scene.add(1, v1::PREPARING);
  EXPECT_EQ(pins(scene), Pins{});
  scene.add(2, v1::RUNNING).mutable_status()->set_image_pin("sha256:b");
  scene.add(3, v1::RUNNING).mutable_status()->set_image_pin("sha256:c");
  EXPECT_EQ(pins(scene), (Pins{{"web.1", "sha256:b"}}));
  scene.revisions[0].mutable_status()->set_image_digest("sha256:b");
  EXPECT_EQ(pins(scene), Pins{}) << "for good";

  scene.change_image("app:2");
  scene.keep_revision();
  EXPECT_EQ(pins(scene), Pins{}) << "no task of the new one has it yet";
  scene.add(1, v1::RUNNING).mutable_status()->set_image_pin("sha256:d");
  EXPECT_EQ(pins(scene), (Pins{{"web.2", "sha256:d"}}));
}

TEST(ServicePlanner, NothingIsPinnedThatTheUserSettledOtherwise) {
  for (const auto policy : {v1::PULL_ALWAYS, v1::PULL_NEVER}) {
    Scene scene(1);
    scene.revisions[0].mutable_spec()->mutable_template_()->mutable_container()->set_pull_policy(policy);
    scene.add(1, v1::RUNNING).mutable_status()->set_image_pin("sha256:b");
    EXPECT_EQ(pins(scene), Pins{}) << policy;
  }
  Scene scene(1);
  scene.revisions[0].mutable_spec()->mutable_template_()->mutable_container()->set_image_digest("sha256:a");
  scene.add(1, v1::RUNNING).mutable_status()->set_image_pin("sha256:a");
  EXPECT_EQ(pins(scene), Pins{});
}

TEST(ServicePlanner, AnUpdateGoesOnWhenTheNewTaskIsReady) {
  Scene scene(2);
  scene.add(2, v1::RUNNING).mutable_status()->set_readiness(v1::HEALTH_BAD);  // of the old ones none is waited for
  scene.change_image("app:2");
  scene.keep_revision();
  auto& status = *scene.add(1, v1::RUNNING).mutable_status();
  for (const auto unready : {v1::HEALTH_STARTING, v1::HEALTH_BAD}) {
    status.set_readiness(unready);
    EXPECT_EQ(actions(scene.plan()), Actions{}) << unready;
  }
  status.set_readiness(v1::HEALTH_GOOD);
  EXPECT_EQ(actions(scene.plan()), Actions{"-2"});
}

TEST(ServicePlanner, OneOfTwoInASlotGoes) {
  Scene scene(1);
  scene.add(1, v1::STARTING);
  scene.add(1, v1::RUNNING);
  const Plan plan = scene.plan();
  EXPECT_EQ(actions(plan), (Actions{"-1"}));
  EXPECT_EQ(std::get<v1::Task>(plan.units[0][0].object).meta().uid(), "t0") << "what runs is kept";
}

// By state and restart policy: what becomes of a task that ended long ago.
TEST(ServicePlanner, RestartPolicies) {
  using Policy = v1::RestartPolicy;
  const struct {
    Policy::Condition condition;
    v1::TaskState state;
    bool replaced;
  } cases[] = {
      {Policy::DEFAULT, v1::SUCCEEDED, false},
      {Policy::DEFAULT, v1::FAILED, true},
      {Policy::DEFAULT, v1::STOPPED, true},
      {Policy::NO, v1::SUCCEEDED, false},
      {Policy::NO, v1::FAILED, false},
      {Policy::NO, v1::STOPPED, false},
      {Policy::ON_FAILURE, v1::SUCCEEDED, false},
      {Policy::ON_FAILURE, v1::FAILED, true},
      {Policy::ALWAYS, v1::SUCCEEDED, true},
      {Policy::ALWAYS, v1::FAILED, true},
      {Policy::UNLESS_STOPPED, v1::SUCCEEDED, true},
  };
  for (const auto& c : cases) {
    Scene scene(1);
    scene.service.mutable_spec()->mutable_restart()->set_condition(c.condition);
    scene.revisions.clear();
    scene.keep_revision();
    scene.add(1, c.state);
    scene.ended_since["t0"] = kNow.time - seconds(100);
    EXPECT_EQ(actions(scene.plan()), c.replaced ? (Actions{"-1", "+1"}) : Actions{})
        << Policy::Condition_Name(c.condition) << " " << v1::TaskState_Name(c.state);
  }
}

TEST(ServicePlanner, UsedUpAttemptsAreObeyed) {
  Scene scene(1);
  scene.service.mutable_spec()->mutable_restart()->set_max_attempts(3);
  scene.revisions.clear();
  scene.keep_revision();
  scene.add(1, v1::FAILED).mutable_status()->set_attempt(3);
  scene.ended_since["t0"] = kNow.time - seconds(100);
  EXPECT_TRUE(actions(scene.plan()).empty());
  scene.tasks[0].mutable_status()->set_attempt(2);
  EXPECT_EQ(actions(scene.plan()), (Actions{"-1", "+1"})) << "it gave up for another reason";
}

TEST(ServicePlanner, AFailureIsReplacedAfterItsDelay) {
  Scene scene(1);
  (*scene.add(1, v1::FAILED).mutable_meta()->mutable_labels())[core::kFailuresLabel] = "3";
  scene.ended_since["t0"] = kNow.time - milliseconds(300);
  const Plan waiting = scene.plan();
  EXPECT_TRUE(actions(waiting).empty());
  EXPECT_EQ(waiting.look_again, kNow.time + milliseconds(500)) << "800 ms after the fourth failure in a row";
  scene.ended_since["t0"] = kNow.time - milliseconds(800);
  const Plan due = scene.plan();
  EXPECT_EQ(actions(due), (Actions{"-1", "+1"}));
  for (const auto& unit : due.units)
    for (const auto& write : unit)
      if (const auto* task = std::get_if<v1::Task>(&write.object); task != nullptr && write.verb == Verb::kCreate) {
        EXPECT_EQ(core::label(task->meta(), core::kFailuresLabel), "4");
        EXPECT_EQ(task->spec().predecessor(), "t0");
      }
}

TEST(ServicePlanner, WhatRanForTenSecondsBeginsAnew) {
  Scene scene(1);
  auto& task = scene.add(1, v1::FAILED);
  (*task.mutable_meta()->mutable_labels())[core::kFailuresLabel] = "6";
  *task.mutable_status()->mutable_started_at() = core::to_timestamp(kNow.wall - seconds(12));
  *task.mutable_status()->mutable_finished_at() = core::to_timestamp(kNow.wall - seconds(2));
  scene.ended_since["t0"] = kNow.time - seconds(2);
  EXPECT_EQ(actions(scene.plan()), (Actions{"-1", "+1"}));
}

TEST(ServicePlanner, UpdatesStepByStep) {
  Scene scene(3);
  for (std::uint32_t slot = 1; slot <= 3; ++slot) scene.add(slot, v1::RUNNING);
  scene.change_image("app:2");
  EXPECT_EQ(actions(scene.plan()), (Actions{"-1"}));
  EXPECT_TRUE(status(scene).updating());
  EXPECT_EQ(status(scene).tasks_running(), 0u) << "of the new revision";

  core::mark_deleted(*scene.tasks[0].mutable_meta(), kNow.wall);
  scene.keep_revision();
  scene.service.mutable_status()->set_updating(true);
  EXPECT_TRUE(actions(scene.plan()).empty()) << "the old one hasn't ended";

  scene.tasks[0].mutable_status()->set_state(v1::STOPPED);
  EXPECT_EQ(actions(scene.plan()), (Actions{"+1"}));

  scene.add(1, v1::STARTING);
  EXPECT_TRUE(actions(scene.plan()).empty()) << "the new one doesn't run yet";

  scene.tasks.back().mutable_status()->set_state(v1::RUNNING);
  EXPECT_EQ(actions(scene.plan()), (Actions{"-2"}));
}

TEST(ServicePlanner, ANewVersionThatRestartsMustRunForAWhile) {
  Scene scene(2);
  scene.add(2, v1::RUNNING);
  scene.change_image("app:2");
  scene.keep_revision();
  auto& status = *scene.add(1, v1::RUNNING).mutable_status();
  status.set_attempt(2);
  // Whatever its node's clock says.
  for (const auto skew : {-std::chrono::hours(1), std::chrono::hours(0), std::chrono::hours(1)}) {
    *status.mutable_started_at() = core::to_timestamp(kNow.wall + skew);
    scene.running_since["t1"] = kNow.time - seconds(4);
    const Plan waiting = scene.plan();
    EXPECT_TRUE(actions(waiting).empty());
    EXPECT_EQ(waiting.look_again, kNow.time + seconds(6));
    scene.running_since["t1"] = kNow.time - seconds(10);
    EXPECT_EQ(actions(scene.plan()), (Actions{"-2"}));
  }
}

TEST(ServicePlanner, WhatDoesntRunIsUpdatedFirst) {
  Scene scene(3);
  scene.add(1, v1::RUNNING);
  scene.add(2, v1::RUNNING);
  scene.add(3, v1::STARTING);
  scene.change_image("app:2");
  EXPECT_EQ(actions(scene.plan()), (Actions{"-3"}));
}

TEST(ServicePlanner, WhatEndedOrHasNoPlaceIsUpdatedAtOnce) {
  Scene scene(3);
  scene.add(1, v1::FAILED);
  scene.add(2, v1::SUCCEEDED);
  scene.add(3, v1::PENDING).mutable_spec()->clear_assignment();
  scene.change_image("app:2");
  EXPECT_EQ(actions(scene.plan()), (Actions{"-1", "+1", "-2", "+2", "x3", "+3"}));
}

TEST(ServicePlanner, AFailureStopsTheUpdate) {
  Scene scene(3);
  scene.add(2, v1::RUNNING);
  scene.add(3, v1::RUNNING);
  scene.change_image("app:2");
  scene.keep_revision();
  auto& failed = *scene.add(1, v1::FAILED).mutable_status();
  failed.set_exit_code(3);
  scene.ended_since["t2"] = kNow.time;
  EXPECT_TRUE(actions(scene.plan()).empty());
  EXPECT_EQ(status(scene).message(), "the update stopped, because web.1 failed: exit code 3");
  EXPECT_TRUE(status(scene).updating());
}

TEST(ServicePlanner, LostNodesTable) {
  const struct {
    const char* name;
    v1::OnNodeLoss policy;
    bool paused;
    v1::RestartPolicy::Condition restart;
    v1::TaskState state;
    Actions expected;
  } cases[] = {
      {"replace", v1::REPLACE, false, v1::RestartPolicy::DEFAULT, v1::RUNNING, {"!1", "+1"}},
      {"wait", v1::WAIT, false, v1::RestartPolicy::DEFAULT, v1::RUNNING, {}},
      {"fence", v1::FENCE, false, v1::RestartPolicy::DEFAULT, v1::RUNNING, {}},
      {"paused", v1::REPLACE, true, v1::RestartPolicy::DEFAULT, v1::RUNNING, {}},
      {"never again", v1::REPLACE, false, v1::RestartPolicy::NO, v1::RUNNING, {}},
      {"done before", v1::REPLACE, false, v1::RestartPolicy::DEFAULT, v1::SUCCEEDED, {}},
  };
  for (const auto& c : cases) {
    Scene scene(1);
    scene.service.mutable_spec()->set_on_node_loss(c.policy);
    scene.service.mutable_spec()->mutable_restart()->set_condition(c.restart);
    scene.revisions.clear();
    scene.keep_revision();
    scene.paused = c.paused;
    scene.node.mutable_status()->set_state(v1::NodeStatus::LOST);
    scene.add(1, c.state);
    EXPECT_EQ(actions(scene.plan()), c.expected) << c.name;
  }
}

// Grace 10 s, margin 10 s; a node that was removed may have had its whole lease of 30 s ahead.
TEST(ServicePlanner, FencedTasksAreReplacedOnlyWhenTheyHaveSurelyBeenStopped) {
  for (const auto& [lost, wait] : {std::pair(true, seconds(20)), std::pair(false, seconds(50))}) {
    Scene scene(1);
    scene.service.mutable_spec()->set_on_node_loss(v1::FENCE);
    scene.revisions.clear();
    scene.keep_revision();
    scene.node.mutable_status()->set_state(v1::NodeStatus::LOST);
    if (!lost) scene.node.mutable_meta()->set_uid("another");
    scene.add(1, v1::RUNNING);
    scene.silent_since["uid-a"] = kNow.time - wait + seconds(1);
    const auto early = scene.plan();
    EXPECT_EQ(actions(early), Actions{}) << lost;
    EXPECT_EQ(early.look_again, kNow.time + seconds(1)) << lost;
    scene.silent_since["uid-a"] = kNow.time - wait;
    EXPECT_EQ(actions(scene.plan()), (Actions{"!1", "+1"})) << lost;
    // Told to stop before, it holds its slot for as long.
    scene.tasks[0].mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
    core::mark_deleted(*scene.tasks[0].mutable_meta(), kNow.wall);
    EXPECT_EQ(actions(scene.plan()).back(), "+1") << lost;
    scene.silent_since["uid-a"] = kNow.time - wait + seconds(1);
    EXPECT_EQ(actions(scene.plan()), Actions{}) << lost;
  }
}

TEST(ServicePlanner, WhatWasToldToStopOnANodeThatThenWasLostHoldsNothingUp) {
  Scene scene(1);
  core::mark_deleted(*scene.add(1, v1::RUNNING).mutable_meta(), kNow.wall);
  scene.tasks[0].mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
  EXPECT_TRUE(actions(scene.plan()).empty());
  scene.node.mutable_status()->set_state(v1::NodeStatus::LOST);
  EXPECT_EQ(actions(scene.plan()), (Actions{"!1", "+1"}));
}

TEST(ServicePlanner, DrainedNodesAreLeftAtOnce) {
  Scene scene(2);
  scene.node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED);
  scene.add(1, v1::RUNNING);
  scene.add(2, v1::SUCCEEDED);
  EXPECT_EQ(actions(scene.plan()), (Actions{"-1"})) << "what is done moves nowhere";
}

TEST(ServicePlanner, TasksOfARemovedNodeAreReplacedWhateverThePolicy) {
  Scene scene(1);
  scene.service.mutable_spec()->set_on_node_loss(v1::WAIT);
  scene.add(1, v1::RUNNING).mutable_spec()->mutable_assignment()->set_node_uid("uid-gone");
  EXPECT_EQ(actions(scene.plan()), (Actions{"!1", "+1"}));
}

TEST(ServicePlanner, ACompletedTaskIsNotDesiredAnyMore) {
  Scene scene(2);
  scene.add(1, v1::SUCCEEDED);
  scene.add(2, v1::RUNNING);
  EXPECT_EQ(status(scene).tasks_desired(), 1u);
  EXPECT_EQ(status(scene).tasks_running(), 1u);
}

TEST(ServicePlanner, RemovalEndsWithTheService) {
  Scene scene(2);
  core::mark_deleted(*scene.service.mutable_meta(), kNow.wall);
  scene.add(1, v1::RUNNING);
  scene.add(2, v1::PENDING).mutable_spec()->clear_assignment();
  EXPECT_EQ(actions(scene.plan()), (Actions{"-1", "x2"}));
  scene.tasks.clear();
  const Plan last = scene.plan();
  ASSERT_EQ(last.units.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<v1::Revision>(last.units[0][0].object));
  EXPECT_TRUE(std::holds_alternative<v1::Service>(last.units[1][0].object));
  EXPECT_EQ(last.units[1][0].verb, Verb::kRemove);
}

}  // namespace
}  // namespace orchion::control::controllers
