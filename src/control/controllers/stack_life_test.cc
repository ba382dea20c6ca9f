// Stacks go up, change, scale and go, with all controllers running.

#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"
#include "control/controllers/service_planner.h"
#include "control/store/object_store.h"

namespace orchion::control::controllers {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StackLife : public ClusterFixture {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) add_node(name);
  }

  bool is_empty() const {
    return view().stacks().all().empty() && view().services().all().empty() && view().tasks().all().empty() &&
           view().networks().all().empty() && view().revisions().all().empty();
  }
};

TEST_F(StackLife, GoesUp) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"db"}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(3));
  EXPECT_THAT(running("db"), SizeIs(1));
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"a", 1}, {"b", 1}, {"c", 1}}));
  const auto network = view().networks().find("shop", "default");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->status().subnet(), "10.192.0.0/20");
  EXPECT_EQ(network->status().gateway(), "10.192.0.1");
  std::set<std::string> addresses;
  for (const char* service : {"web", "db"})
    for (const auto& task : tasks(service)) addresses.insert(task->spec().assignment().addresses(0).address());
  EXPECT_EQ(addresses, (std::set<std::string>{"10.192.0.2", "10.192.0.3", "10.192.0.4", "10.192.0.5"}));
  EXPECT_EQ(stack_status().services(), 2u);
  EXPECT_EQ(stack_status().tasks_running(), 4u);
  EXPECT_EQ(stack_status().tasks_desired(), 4u);
  EXPECT_EQ(stack_status().observed_generation(), 1u);
  EXPECT_EQ(stack_status().message(), "");
  EXPECT_EQ(service_status("web").revision(), "web.1");
}

TEST_F(StackLife, TasksAreBornWithTheirPlace) {
  apply("shop", make_stack({{"web", "app:1", 3}}));
  run_controllers();
  ASSERT_THAT(tasks("web"), SizeIs(3));
  for (const auto& task : tasks("web")) {
    EXPECT_TRUE(task->spec().has_assignment());
    EXPECT_EQ(task->meta().generation(), 1u);
    EXPECT_TRUE(core::has_finalizer(task->meta(), core::kAgentFinalizer));
  }
  EXPECT_EQ(count_reason("TaskPlaced"), 0);
}

TEST_F(StackLife, AtRestNothingIsWritten) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"job", "app:done"}, {"bad", "app:hang"}}));
  settle();
  const auto revision = memory_->revision();
  advance(std::chrono::seconds(5));
  EXPECT_EQ(memory_->revision(), revision);
  restart_controllers();
  advance(std::chrono::seconds(5));
  EXPECT_EQ(memory_->revision(), revision) << "a new server found something to do";
}

TEST_F(StackLife, ApplyingTheSameReplacesNothing) {
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  const auto before = tasks("web");
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  EXPECT_EQ(stack_status().observed_generation(), 2u);
  ASSERT_THAT(tasks("web"), SizeIs(2));
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(tasks("web")[i]->meta().uid(), before[i]->meta().uid());
}

TEST_F(StackLife, AChangeReplacesOneByOneAndNothingElse) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"db"}}));
  settle();
  const auto db = tasks("db").front()->meta().uid();
  std::map<std::uint32_t, std::string> before;
  for (const auto& task : tasks("web")) before[task->spec().slot()] = task->meta().uid();
  std::size_t fewest = 3;
  const auto watching = objects_->subscribe([&](const auto&) { fewest = std::min(fewest, running("web").size()); });
  apply("shop", make_stack({{"web", "app:2", 3}, {"db"}}));
  settle();
  EXPECT_EQ(fewest, 2u);
  ASSERT_THAT(running("web"), SizeIs(3));
  for (const auto& task : tasks("web")) {
    EXPECT_EQ(task->spec().revision(), "web.2");
    EXPECT_EQ(task->spec().predecessor(), before[task->spec().slot()]);
  }
  EXPECT_EQ(tasks("db").front()->meta().uid(), db);
  EXPECT_THAT(tasks("web", true), IsEmpty());
  EXPECT_FALSE(service_status("web").updating());
  EXPECT_EQ(count_reason("UpdateStarted"), 1);
  EXPECT_EQ(count_reason("UpdateFinished"), 1);
  EXPECT_EQ(stack_status().tasks_running(), 4u);
}

TEST_F(StackLife, AFailingUpdateStopsAndACorrectedOneGoesOn) {
  apply("shop", make_stack({{"web", "app:1", 3}}));
  settle();
  apply("shop", make_stack({{"web", "app:fail", 3}}));
  settle();
  advance(std::chrono::seconds(20));
  std::size_t old = 0;
  for (const auto& task : running("web")) old += task->spec().revision() == "web.1" ? 1 : 0;
  EXPECT_EQ(old, 2u) << "the update went on over a failure";
  EXPECT_TRUE(service_status("web").updating());
  EXPECT_EQ(message("web"), "the update stopped, because web.1 failed: no such image");
  EXPECT_EQ(stack_status().message(), "web: the update stopped, because web.1 failed: no such image");
  EXPECT_EQ(count_reason("UpdateStopped"), 1);
  apply("shop", make_stack({{"web", "app:2", 3}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(3));
  EXPECT_EQ(service_status("web").revision(), "web.3");
  EXPECT_EQ(message("web"), "");
}

TEST_F(StackLife, TheWayBackIsAnOldRevision) {
  for (const char* image : {"app:1", "app:2", "app:1"}) {
    apply("shop", make_stack({{"web", image}}));
    settle();
  }
  EXPECT_EQ(service_status("web").revision(), "web.1");
  EXPECT_EQ(tasks("web").front()->spec().revision(), "web.1");
  EXPECT_THAT(view().revisions().all(), SizeIs(2));
}

TEST_F(StackLife, OldRevisionsArePruned) {
  for (int i = 1; i <= 15; ++i) {
    apply("shop", make_stack({{"web", "app:" + std::to_string(i)}}));
    settle();
  }
  EXPECT_THAT(view().revisions().all(), SizeIs(kRevisionsKept + 1));
  EXPECT_TRUE(view().revisions().find("shop", "web.15"));
  EXPECT_FALSE(view().revisions().find("shop", "web.4"));
}

TEST_F(StackLife, Scales) {
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  apply("shop", make_stack({{"web", "app:1", 5}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(5));
  EXPECT_EQ(service_status("web").revision(), "web.1") << "replicas make no new revision";
  apply("shop", make_stack({{"web", "app:1", 1}}));
  settle();
  ASSERT_THAT(tasks("web"), SizeIs(1));
  EXPECT_EQ(tasks("web").front()->spec().slot(), 1u) << "the highest slots go first";
  EXPECT_THAT(tasks("web", true), IsEmpty());
  apply("shop", make_stack({{"web", "app:1", 0}}));
  settle();
  EXPECT_THAT(tasks("web"), IsEmpty());
  EXPECT_EQ(service_status("web").tasks_desired(), 0u);
}

TEST_F(StackLife, ManyTasksAreManyTransactions) {
  apply("shop", make_stack({{"web", "app:1", 300}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(300));
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"a", 100}, {"b", 100}, {"c", 100}}));
  remove_stack("shop");
  settle();
  EXPECT_TRUE(is_empty());
}

TEST_F(StackLife, GoesAndLeavesNothing) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"job", "app:done"}, {"bad", "app:fail"}}));
  settle();
  remove_stack("shop");
  run_controllers();
  EXPECT_THAT(tasks("web", true), SizeIs(3)) << "tasks wait for their agents";
  EXPECT_TRUE(view().networks().find("shop", "default"));
  EXPECT_FALSE(core::is_deleted(view().networks().find("shop", "default")->meta())) << "before the tasks are gone";
  settle();
  EXPECT_TRUE(is_empty());
  EXPECT_EQ(count_reason("StackRemoved"), 1);
}

TEST_F(StackLife, VolumesStayUnlessAskedFor) {
  const auto stack = make_stack({{"db", "app:1", 1, mount_data}}, {"data"});
  apply("shop", stack);
  settle();
  const std::string node = tasks("db").front()->spec().assignment().node();
  EXPECT_EQ(view().volumes().find("shop", "data")->status().node_uid(), "uid-" + node);
  remove_stack("shop");
  settle();
  EXPECT_TRUE(is_empty());
  ASSERT_TRUE(view().volumes().find("shop", "data"));
  apply("shop", stack);
  settle();
  EXPECT_EQ(tasks("db").front()->spec().assignment().node(), node) << "the data is there";
  remove_stack("shop", true);
  settle();
  EXPECT_TRUE(is_empty());
  EXPECT_THAT(view().volumes().all(), IsEmpty());
}

TEST_F(StackLife, PrunesWhatTheManifestNoLongerNames) {
  v1::StackSpec stack =
      make_stack({{"web"},
                  {"old", "app:1", 2,
                   [](v1::ServiceSpec& spec) { spec.mutable_container()->add_networks()->set_network("back"); }}},
                 {"data"});
  stack.add_networks()->set_name("back");
  apply("shop", stack);
  settle();
  EXPECT_EQ(view().networks().find("shop", "back")->status().subnet(), "10.192.0.0/20");
  apply("shop", make_stack({{"web"}}));
  settle();
  EXPECT_FALSE(view().services().find("shop", "old"));
  EXPECT_FALSE(view().networks().find("shop", "back"));
  EXPECT_TRUE(view().volumes().find("shop", "data")) << "data is never pruned";
  EXPECT_THAT(running("web"), SizeIs(1));
  EXPECT_THAT(view().revisions().all(), SizeIs(1));
  EXPECT_EQ(stack_status().observed_generation(), 2u);
}

TEST_F(StackLife, WhatIsNotOfTheManifestIsLeftAlone) {
  apply("shop", make_stack({{"web"}}));
  settle();
  v1::Network other;
  other.mutable_meta()->set_stack("shop");
  other.mutable_meta()->set_name("other");
  store::Transaction transaction;
  store::create(transaction, other);
  commit(std::move(transaction));
  apply("shop", make_stack({{"web", "app:2"}}));
  settle();
  EXPECT_TRUE(view().networks().find("shop", "other"));
}

TEST_F(StackLife, NamedAgainWhileItGoesIsMadeAnew) {
  apply("shop", make_stack({{"web"}, {"old"}}));
  settle();
  const auto former = view().services().find("shop", "old")->meta().uid();
  apply("shop", make_stack({{"web"}}));
  run_controllers();
  apply("shop", make_stack({{"web"}, {"old"}}));
  run_controllers();
  EXPECT_EQ(stack_status().message(), "waits until the former service old is gone");
  settle();
  EXPECT_THAT(running("old"), SizeIs(1));
  EXPECT_NE(view().services().find("shop", "old")->meta().uid(), former);
  EXPECT_EQ(stack_status().message(), "");
}

TEST_F(StackLife, TwoStacksDontShareASubnet) {
  apply("shop", make_stack({{"web"}}));
  apply("blog", make_stack({{"web"}}));
  settle();
  std::set<std::string> subnets;
  for (const auto& [name, network] : view().networks().all()) subnets.insert(network->status().subnet());
  EXPECT_EQ(subnets, (std::set<std::string>{"10.192.0.0/20", "10.192.16.0/20"}));
}

TEST_F(StackLife, ASubnetThatIsTakenIsSaidOnceAndFreedLater) {
  v1::StackSpec blog = make_stack({{"web"}});
  blog.add_networks()->set_name("default");
  blog.mutable_networks(0)->mutable_spec()->set_subnet("10.192.0.0/16");
  apply("shop", make_stack({{"web"}}));
  settle();
  apply("blog", blog);
  settle();
  advance(std::chrono::seconds(3));
  EXPECT_EQ(count_reason("NoSubnet"), 1);
  EXPECT_EQ(view().services().find("blog", "web")->status().message(),
            "waits for network default, which has no subnet yet: its subnet 10.192.0.0/16 overlaps 10.192.0.0/20 of "
            "network shop/default; choose another");
  remove_stack("shop");
  settle();
  EXPECT_EQ(view().networks().find("blog", "default")->status().subnet(), "10.192.0.0/16");
  EXPECT_EQ(view().services().find("blog", "web")->status().tasks_running(), 1u);
}

TEST_F(StackLife, AnAddressIsFreeWhenItsTaskIsGone) {
  apply("shop", make_stack({{"web"}}));
  settle();
  const std::string first = tasks("web").front()->spec().assignment().addresses(0).address();
  apply("shop", make_stack({{"web", "app:2"}}));
  settle();
  const std::string second = tasks("web").front()->spec().assignment().addresses(0).address();
  EXPECT_NE(first, second) << "the old task had ended, but nobody had confirmed that nothing of it is left";
  apply("shop", make_stack({{"web", "app:3"}}));
  settle();
  EXPECT_EQ(tasks("web").front()->spec().assignment().addresses(0).address(), first);
}

TEST_F(StackLife, PortsWithoutANumberGetOne) {
  const auto publish = [](v1::ServiceSpec& spec) { spec.mutable_container()->add_ports()->set_container_port(80); };
  apply("shop", make_stack({{"web", "app:1", 6, publish}}));
  settle();
  std::map<std::string, std::set<std::uint32_t>> ports;
  for (const auto& task : running("web"))
    ports[task->spec().assignment().node()].insert(task->spec().assignment().ports(0).host_port());
  EXPECT_EQ(ports.at("a"), (std::set<std::uint32_t>{30000, 30001}));
}

TEST_F(StackLife, OldEventsGo) {
  options_.events_kept = 20;
  restart_controllers();
  for (int i = 0; i < 12; ++i) {
    apply("shop", make_stack({{"web", "app:" + std::to_string(i)}}));
    settle();
  }
  EXPECT_LE(view().events().all().size(), 20u);
  EXPECT_GE(view().events().all().size(), 15u);
  EXPECT_EQ(reasons().back(), "UpdateFinished") << "the newest are kept";
}

}  // namespace
}  // namespace orchion::control::controllers
