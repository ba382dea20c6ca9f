#include "testing/cluster.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <google/protobuf/empty.pb.h>

#include "core/lifecycle.h"
#include "testing/stacks.h"

namespace orchion::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void apply(Cluster& cluster, const v1::ApplyStackRequest& request) {
  const auto applied = cluster.call<v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", request);
  ASSERT_TRUE(applied.has_value()) << applied.error().message;
}

void scale(Cluster& cluster, const std::string& service, std::uint32_t replicas) {
  v1::ScaleServiceRequest request;
  request.set_stack("shop");
  request.set_name(service);
  request.set_replicas(replicas);
  const auto scaled = cluster.call<v1::Service>("orchion.v1.ServiceService.ScaleService", request);
  ASSERT_TRUE(scaled.has_value()) << scaled.error().message;
}

void ask_to_go(Cluster& cluster, const std::string& stack) {
  v1::DeleteStackRequest request;
  request.set_name(stack);
  const auto deleted = cluster.call<v1::Stack>("orchion.v1.StackService.DeleteStack", request);
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
}

std::set<std::string> uids(const Cluster& cluster, const std::string& service) {
  std::set<std::string> result;
  for (const auto& task : cluster.view().tasks_of_service("shop", service)) result.insert(task->meta().uid());
  return result;
}

base::Result<google::protobuf::Empty> remove_node(Cluster& cluster, const std::string& name, bool force) {
  v1::RemoveNodeRequest request;
  request.set_name(name);
  request.set_force(force);
  return cluster.call<google::protobuf::Empty>("orchion.v1.NodeService.RemoveNode", request);
}

TEST(Cluster, BringsUpAHundredTasksSpreadOverFiftyNodes) {
  Cluster cluster(50, 1);
  apply(cluster, shop(100));
  cluster.quiet();
  EXPECT_EQ(cluster.report(), "");
  const auto stack = cluster.view().stacks().find("shop");
  EXPECT_EQ(stack->status().tasks_running(), 100);
  for (int i = 0; i < cluster.size(); ++i) EXPECT_THAT(cluster.running_on(i), SizeIs(2)) << i;
}

TEST(Cluster, ScalesUpAndDownWithoutTouchingTheRest) {
  Cluster cluster(5, 2);
  apply(cluster, shop(20));
  cluster.quiet();
  const auto before = uids(cluster, "worker");
  scale(cluster, "worker", 30);
  cluster.quiet();
  const auto after = uids(cluster, "worker");
  EXPECT_EQ(after.size(), 30);
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  scale(cluster, "worker", 13);
  cluster.quiet();
  EXPECT_EQ(uids(cluster, "worker"), before);
  scale(cluster, "worker", 0);
  cluster.quiet();
  EXPECT_THAT(uids(cluster, "worker"), IsEmpty());
  EXPECT_EQ(cluster.report(), "");
}

// Each moment all but one of the service's tasks run.
TEST(Cluster, AChangedImageReplacesTasksOneByOne) {
  Cluster cluster(5, 3);
  auto request = shop(20);
  apply(cluster, request);
  cluster.quiet();
  const auto before = uids(cluster, "web");
  request.mutable_spec()->mutable_services(0)->mutable_spec()->mutable_container()->set_image("app:2");
  apply(cluster, request);
  std::size_t fewest = before.size();
  for (int i = 0; i < 600; ++i) {
    cluster.advance(milliseconds(100));
    std::size_t running = 0;
    for (const auto& task : cluster.view().tasks_of_service("shop", "web"))
      running += task->status().state() == v1::RUNNING ? 1 : 0;
    fewest = std::min(fewest, running);
  }
  EXPECT_EQ(fewest, before.size() - 1);
  cluster.quiet();
  for (const auto& uid : uids(cluster, "web")) EXPECT_FALSE(before.contains(uid));
  for (const auto& uid : before) EXPECT_THAT(cluster.history().successors(uid), SizeIs(1));
  EXPECT_EQ(cluster.report(), "");
}

template <class Request>
base::Result<v1::Service> change(Cluster& cluster, const std::string& method, const std::string& service) {
  Request request;
  request.set_stack("shop");
  request.set_name(service);
  return cluster.call<v1::Service>("orchion.v1.ServiceService." + method, request);
}

std::size_t running_tasks(const Cluster& cluster, const std::string& service) {
  std::size_t running = 0;
  for (const auto& task : cluster.view().tasks_of_service("shop", service))
    running += task->status().state() == v1::RUNNING ? 1 : 0;
  return running;
}

TEST(Cluster, AStoppedServiceComesBackWithAsManyTasksAndSoDoesAnAppliedOne) {
  Cluster cluster(5, 21);
  apply(cluster, shop(20));
  cluster.quiet();
  const auto before = uids(cluster, "web").size();
  ASSERT_TRUE(change<v1::StopServiceRequest>(cluster, "StopService", "web"));
  cluster.quiet();
  EXPECT_THAT(uids(cluster, "web"), IsEmpty());
  EXPECT_EQ(cluster.view().services().find("shop", "web")->status().tasks_desired(), 0);
  ASSERT_TRUE(change<v1::StartServiceRequest>(cluster, "StartService", "web"));
  cluster.quiet();
  EXPECT_EQ(running_tasks(cluster, "web"), before);
  ASSERT_TRUE(change<v1::StopServiceRequest>(cluster, "StopService", "web"));
  cluster.quiet();
  apply(cluster, shop(20));
  cluster.quiet();
  EXPECT_EQ(running_tasks(cluster, "web"), before);
  EXPECT_EQ(cluster.report(), "");
}

TEST(Cluster, ARestartReplacesEveryTaskOneByOneAndAnApplyAfterItNone) {
  Cluster cluster(5, 22);
  apply(cluster, shop(20));
  cluster.quiet();
  const auto before = uids(cluster, "web");
  const auto others = uids(cluster, "worker");
  ASSERT_TRUE(change<v1::RestartServiceRequest>(cluster, "RestartService", "web"));
  auto fewest = before.size();
  for (int i = 0; i < 600; ++i) {
    cluster.advance(milliseconds(100));
    fewest = std::min(fewest, running_tasks(cluster, "web"));
  }
  EXPECT_EQ(fewest, before.size() - 1);
  const auto after = uids(cluster, "web");
  EXPECT_EQ(after.size(), before.size());
  for (const auto& uid : after) EXPECT_FALSE(before.contains(uid));
  EXPECT_EQ(uids(cluster, "worker"), others);
  apply(cluster, shop(20));
  cluster.quiet();
  EXPECT_EQ(uids(cluster, "web"), after);
  EXPECT_EQ(cluster.report(), "");
}

TEST(Cluster, OneServiceCanComeAndGoAndItsStackWithTheLast) {
  Cluster cluster(2, 23);
  v1::CreateServiceRequest request;
  request.set_stack("shop");
  for (const char* name : {"one", "two"}) {
    request.set_name(name);
    *request.mutable_spec() = service(name, 1).spec();
    request.set_dry_run(true);
    ASSERT_TRUE(cluster.call<v1::Service>("orchion.v1.ServiceService.CreateService", request));
    EXPECT_EQ(cluster.view().services().find("shop", name), nullptr);
    request.set_dry_run(false);
    ASSERT_TRUE(cluster.call<v1::Service>("orchion.v1.ServiceService.CreateService", request));
  }
  cluster.quiet();
  EXPECT_EQ(running_tasks(cluster, "one"), 1u);
  const auto gone = change<v1::DeleteServiceRequest>(cluster, "DeleteService", "one");
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_TRUE(core::is_deleted(gone->meta()));
  cluster.quiet();
  EXPECT_EQ(cluster.view().services().find("shop", "one"), nullptr);
  EXPECT_EQ(running_tasks(cluster, "two"), 1u);
  ASSERT_TRUE(change<v1::DeleteServiceRequest>(cluster, "DeleteService", "two"));
  cluster.quiet();
  EXPECT_EQ(cluster.view().stacks().find("shop"), nullptr);
  EXPECT_EQ(cluster.report(), "");
}

TEST(Cluster, WhatIsNotThereCannotBeChanged) {
  Cluster cluster(1, 24);
  EXPECT_EQ(change<v1::StopServiceRequest>(cluster, "StopService", "web").error().code, base::Code::kNotFound);
  apply(cluster, shop(20));
  EXPECT_EQ(change<v1::RestartServiceRequest>(cluster, "RestartService", "nope").error().code, base::Code::kNotFound);
  EXPECT_EQ(change<v1::DeleteServiceRequest>(cluster, "DeleteService", "nope").error().code, base::Code::kNotFound);
}

// How many of the service's containers ran at once, at the most, while its machine could not reach the control plane.
std::size_t most_at_once(v1::OnNodeLoss on_node_loss, Cluster& cluster) {
  v1::ApplyStackRequest request;
  request.set_name("shop");
  auto& one = *request.mutable_spec()->add_services() = service("one", 1);
  one.mutable_spec()->set_on_node_loss(on_node_loss);
  apply(cluster, request);
  cluster.quiet();
  int home = 0;
  while (cluster.running_on(home).empty()) ++home;
  cluster.cut_link(home);
  std::size_t most = 0;
  for (int i = 0; i < 1200; ++i) {
    cluster.advance(milliseconds(100));
    std::size_t running = 0;
    for (int machine = 0; machine < cluster.size(); ++machine) running += cluster.running_on(machine).size();
    most = std::max(most, running);
  }
  cluster.mend_link(home);
  cluster.quiet();
  EXPECT_THAT(cluster.running_on(home), IsEmpty());
  EXPECT_EQ(cluster.view().stacks().find("shop")->status().tasks_running(), 1);
  return most;
}

TEST(Cluster, FencedTasksNeverRunTwice) {
  Cluster replaced(3, 20), fenced(3, 20);
  EXPECT_EQ(most_at_once(v1::REPLACE, replaced), 2) << "what fencing is for";
  EXPECT_EQ(most_at_once(v1::FENCE, fenced), 1);
  EXPECT_EQ(replaced.report(), "");
  EXPECT_EQ(fenced.report(), "");
}

TEST(Cluster, ADrainedNodeLosesItsTasksToTheOthers) {
  Cluster cluster(5, 4);
  apply(cluster, shop(20));
  cluster.quiet();
  ASSERT_FALSE(cluster.running_on(2).empty());
  v1::SetNodeAvailabilityRequest request;
  request.set_name("node-02");
  request.set_availability(v1::NodeSpec::DRAINED);
  const auto drained = cluster.call<v1::Node>("orchion.v1.NodeService.SetNodeAvailability", request);
  ASSERT_TRUE(drained.has_value()) << drained.error().message;
  cluster.quiet();
  EXPECT_THAT(cluster.running_on(2), IsEmpty());
  EXPECT_EQ(cluster.report(), "");
}

TEST(Cluster, ADeletedStackLeavesNothing) {
  Cluster cluster(5, 5);
  apply(cluster, shop(20));
  cluster.quiet();
  ask_to_go(cluster, "shop");
  cluster.quiet();
  EXPECT_THAT(cluster.view().stacks().all(), IsEmpty());
  EXPECT_THAT(cluster.view().services().all(), IsEmpty());
  EXPECT_THAT(cluster.view().revisions().all(), IsEmpty());
  EXPECT_THAT(cluster.view().tasks().all(), IsEmpty());
  EXPECT_THAT(cluster.view().networks().all(), IsEmpty());
  EXPECT_THAT(cluster.leftovers(), IsEmpty());
  EXPECT_EQ(cluster.report(), "");
}

// Who asked for the deletion and waits until the stack isn't there finds nothing left on any machine, at once.
TEST(Cluster, AStackGoesAfterTheLastThingOfItOnAnyNode) {
  for (int seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Cluster cluster(5, static_cast<std::uint64_t>(seed));
    apply(cluster, shop(20));
    cluster.quiet();
    ask_to_go(cluster, "shop");
    for (int i = 0; i < 10'000 && cluster.view().stacks().find("shop"); ++i) cluster.advance(milliseconds(1));
    EXPECT_FALSE(cluster.view().stacks().find("shop"));
    EXPECT_THAT(cluster.leftovers(), IsEmpty());
    EXPECT_EQ(cluster.report(), "");
  }
}

// Its tasks had ended in order before; only the bridge is left there, and it goes when the node is back.
TEST(Cluster, ALostNodeHoldsUpNoNetwork) {
  Cluster cluster(3, 8);
  apply(cluster, shop(20));
  cluster.quiet();
  auto& broken = cluster.machine(1);
  broken.networks.removal_error = base::Error{base::Code::kInternal, "the kernel is busy", {}};
  ask_to_go(cluster, "shop");
  cluster.advance(seconds(20));
  EXPECT_THAT(cluster.view().tasks().all(), IsEmpty());
  ASSERT_TRUE(cluster.view().stacks().find("shop")) << "a node that answers is waited for";
  cluster.cut_link(1);
  cluster.advance(seconds(45));
  EXPECT_FALSE(cluster.view().stacks().find("shop"));
  broken.networks.removal_error.reset();
  cluster.mend_link(1);
  cluster.quiet();
  EXPECT_THAT(cluster.leftovers(), IsEmpty());
  EXPECT_EQ(cluster.report(), "");
}

// The tasks of a node that is taken out go elsewhere; its agent, which still runs, comes back as a new member without
// them.
TEST(Cluster, ARemovedNodesTasksAreReplacedAndItStopsThem) {
  Cluster cluster(5, 9);
  apply(cluster, shop(20));
  cluster.quiet();
  const auto former = cluster.running_on(2);
  ASSERT_FALSE(former.empty());
  const auto refused = remove_node(cluster, "node-02", false);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(cluster.running_on(2), former);
  const auto removed = remove_node(cluster, "node-02", true);
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  cluster.quiet();
  EXPECT_EQ(cluster.view().stacks().find("shop")->status().tasks_running(), 20);
  for (const auto& uid : former) {
    EXPECT_FALSE(cluster.view().tasks().find_uid(uid)) << uid;
    const auto running = cluster.running_on(2);
    EXPECT_EQ(std::count(running.begin(), running.end(), uid), 0) << uid;
  }
  ASSERT_TRUE(cluster.view().nodes().find("node-02")) << "its agent joined again";
  ask_to_go(cluster, "shop");
  cluster.quiet();
  EXPECT_THAT(cluster.leftovers(), IsEmpty());
  EXPECT_EQ(cluster.report(), "");
}

// One that doesn't run is simply gone, and nothing waits for it.
TEST(Cluster, ASwitchedOffNodeCanBeTakenOut) {
  Cluster cluster(3, 10);
  apply(cluster, shop(20));
  cluster.quiet();
  cluster.lose_power(1);
  const auto removed = remove_node(cluster, "node-01", true);
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  cluster.quiet();
  EXPECT_FALSE(cluster.view().nodes().find("node-01"));
  EXPECT_EQ(cluster.view().stacks().find("shop")->status().tasks_running(), 20);
  ask_to_go(cluster, "shop");
  cluster.quiet();
  EXPECT_THAT(cluster.view().stacks().all(), IsEmpty());
  EXPECT_EQ(cluster.report(), "");
}

// The agents' full set after a restart is what they have: nothing is restarted.
TEST(Cluster, ARestartedControlPlaneTouchesNoTask) {
  Cluster cluster(5, 6);
  apply(cluster, shop(20));
  cluster.quiet();
  std::size_t starts = 0;
  for (int i = 0; i < cluster.size(); ++i) starts += cluster.machine(i).hardware.starts();
  cluster.restart_server();
  cluster.quiet();
  std::size_t starts_after = 0;
  for (int i = 0; i < cluster.size(); ++i) starts_after += cluster.machine(i).hardware.starts();
  EXPECT_EQ(starts_after, starts);
  EXPECT_EQ(cluster.report(), "");
}

// Its containers run on where nobody hears them; when it is back they are stopped.
TEST(Cluster, ALostNodeIsReplacedOnceAndStopsItsTasksWhenItReturns) {
  Cluster cluster(5, 7);
  apply(cluster, shop(20));
  cluster.quiet();
  const auto lost = cluster.running_on(3);
  ASSERT_FALSE(lost.empty());
  cluster.kill_agent(3);
  cluster.advance(seconds(45));
  EXPECT_EQ(cluster.running_on(3), lost);
  for (const auto& uid : lost) EXPECT_TRUE(cluster.history().is_given_up(uid)) << uid;
  cluster.start_agent(3);
  cluster.quiet();
  for (const auto& uid : lost) EXPECT_THAT(cluster.history().successors(uid), SizeIs(1)) << uid;
  const auto running = cluster.running_on(3);
  for (const auto& uid : lost) EXPECT_EQ(std::count(running.begin(), running.end(), uid), 0) << uid;
  EXPECT_EQ(cluster.report(), "");
}

TEST(Cluster, AnAgentsShortAbsenceIsNobodysLoss) {
  Cluster cluster(5, 8);
  apply(cluster, shop(20));
  cluster.quiet();
  const auto before = cluster.running_on(1);
  cluster.kill_agent(1);
  cluster.advance(seconds(20));
  cluster.start_agent(1);
  cluster.quiet();
  EXPECT_EQ(cluster.running_on(1), before);
  EXPECT_EQ(cluster.report(), "");
}

}  // namespace
}  // namespace orchion::testing
