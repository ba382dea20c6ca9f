// Nodes fall silent, come back, are drained and removed, with all controllers running.

#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"
#include "control/store/object_store.h"

namespace orchion::control::controllers {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NodeLife : public ClusterFixture {
 protected:
  v1::NodeStatus::State state(const std::string& node) const { return view().nodes().find(node)->status().state(); }

  static std::function<void(v1::ServiceSpec&)> memory(std::int64_t gib) {
    return
        [gib](v1::ServiceSpec& spec) { spec.mutable_container()->mutable_reservations()->set_memory_bytes(gib << 30); };
  }
};

TEST_F(NodeLife, WithoutNodesTasksWaitAndSayWhy) {
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  ASSERT_THAT(tasks("web"), SizeIs(2));
  EXPECT_EQ(tasks("web").front()->spec().placement_message(), "0 of 0 nodes: none has joined; start an agent");
  EXPECT_EQ(message("web"), "web.1 has no place: 0 of 0 nodes: none has joined; start an agent");
  add_node("a");
  settle();
  EXPECT_THAT(running("web"), SizeIs(2));
  EXPECT_EQ(message("web"), "");
  EXPECT_EQ(tasks("web").front()->spec().placement_message(), "");
  EXPECT_EQ(count_reason("TaskPlaced"), 2);
}

TEST_F(NodeLife, PlacementExplainsItself) {
  add_node("a", {4, 2});
  add_node("b", {4, 3});
  add_node("c");
  change_node("c", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  apply("shop", make_stack({{"web", "app:1", 1, memory(4)}}));
  settle();
  EXPECT_EQ(tasks("web").front()->spec().placement_message(),
            "0 of 3 nodes: 2 lack memory (need 4 GiB, free 3), 1 is drained");
  change_node("c", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::ACTIVE); });
  settle();
  EXPECT_THAT(running("web"), SizeIs(1));
}

TEST_F(NodeLife, WhatEndsMakesRoom) {
  add_node("a", {4, 8});
  apply("shop", make_stack({{"big", "app:1", 1, memory(6)}, {"web", "app:1", 1, memory(6)}}));
  settle();
  EXPECT_EQ(running("big").size() + running("web").size(), 1u);
  const std::string first = running("big").empty() ? "web" : "big", other = first == "big" ? "web" : "big";
  apply("shop", make_stack({{other, "app:1", 1, memory(6)}}));
  settle();
  EXPECT_THAT(running(other), SizeIs(1));
}

TEST_F(NodeLife, AnUnplacedTaskIsUpdatedAtOnceAndRemovedAtOnce) {
  add_node("a", {4, 8});
  apply("shop", make_stack({{"web", "app:1", 2, memory(20)}}));
  settle();
  apply("shop", make_stack({{"web", "app:1", 2, memory(2)}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(2));
  apply("shop", make_stack({{"web", "app:1", 5, memory(2)}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(4));
  remove_stack("shop");
  settle();
  EXPECT_THAT(view().tasks().all(), IsEmpty());
}

TEST_F(NodeLife, ASilentNodeIsLostAndItsTasksAreReplaced) {
  for (const char* name : {"a", "b", "c"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 3}}));
  settle();
  advance(std::chrono::seconds(10));
  silence("a");
  advance(std::chrono::seconds(29));
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
  advance(std::chrono::seconds(2));
  EXPECT_EQ(state("a"), v1::NodeStatus::LOST);
  EXPECT_THAT(running("web"), SizeIs(3));
  EXPECT_FALSE(per_node("web").contains("a"));
  ASSERT_THAT(tasks("web", true), SizeIs(1));
  const auto lost = tasks("web", true).front();
  EXPECT_EQ(lost->spec().desired_state(), v1::DESIRED_LOST);
  EXPECT_EQ(lost->status().state(), v1::RUNNING) << "its state stays as last reported";
  EXPECT_EQ(count_reason("NodeLost"), 1);
  EXPECT_EQ(count_reason("TaskLost"), 1);
  bring_back("a");
  settle();
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
  EXPECT_THAT(tasks("web", true), IsEmpty()) << "the agent stopped what was declared lost";
  EXPECT_THAT(running("web"), SizeIs(3));
}

TEST_F(NodeLife, ATaskThatWaitsForItsNodeIsKept) {
  for (const char* name : {"a", "b", "c"}) add_node(name);
  apply("shop", make_stack({{"db", "app:1", 1, mount_data}}, {"data"}));
  settle();
  const auto task = tasks("db").front();
  const std::string node = task->spec().assignment().node();
  silence(node);
  advance(std::chrono::seconds(40));
  ASSERT_THAT(tasks("db"), SizeIs(1));
  EXPECT_EQ(tasks("db").front()->meta().uid(), task->meta().uid());
  EXPECT_EQ(message("db"), "db.1 is on node " + node + ", which does not answer");
  EXPECT_EQ(service_status("db").tasks_running(), 0u);
  bring_back(node);
  settle();
  EXPECT_EQ(tasks("db").front()->meta().uid(), task->meta().uid()) << "nothing was replaced";
  EXPECT_EQ(service_status("db").tasks_running(), 1u);
}

TEST_F(NodeLife, WhenMostFallSilentNothingIsReplaced) {
  for (const char* name : {"a", "b", "c", "d", "e"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 5}}));
  settle();
  advance(std::chrono::seconds(10));
  // Not in the same second: their heartbeats come at different times.
  for (const char* name : {"a", "b", "c"}) {
    silence(name);
    advance(std::chrono::seconds(4));
  }
  advance(std::chrono::seconds(60));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(state(name), v1::NodeStatus::LOST);
  EXPECT_THAT(tasks("web", true), IsEmpty());
  EXPECT_EQ(count_reason("ReplacementPaused"), 1);
  EXPECT_THAT(message("web"), HasSubstr("more than half of the nodes fell silent together"));
  bring_back("a");
  settle();
  advance(std::chrono::seconds(2));
  EXPECT_EQ(count_reason("ReplacementResumed"), 1);
  EXPECT_EQ(per_node("web").count("b"), 0u);
  EXPECT_THAT(running("web"), SizeIs(5));
}

TEST_F(NodeLife, NodesLostLongApartAreReplaced) {
  for (const char* name : {"a", "b", "c"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 3}}));
  settle();
  for (const char* name : {"a", "b"}) {
    silence(name);
    advance(std::chrono::seconds(90));
  }
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"c", 3}}));
  EXPECT_EQ(count_reason("ReplacementPaused"), 0);
}

TEST_F(NodeLife, TimeInWhichTheServerStoodStillIsNoSilence) {
  add_node("a");
  settle();
  clock_.advance(std::chrono::minutes(10));
  settle();
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
  silence("a");
  advance(std::chrono::seconds(29));
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
  advance(std::chrono::seconds(2));
  EXPECT_EQ(state("a"), v1::NodeStatus::LOST);
}

TEST_F(NodeLife, ANewServerListensForTheWholeTime) {
  add_node("a");
  settle();
  silence("a");
  advance(std::chrono::seconds(20));
  restart_controllers();
  advance(std::chrono::seconds(29));
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
  advance(std::chrono::seconds(2));
  EXPECT_EQ(state("a"), v1::NodeStatus::LOST);
}

TEST_F(NodeLife, AStalledSessionThatGoesOnIsReadyAgain) {
  for (const char* name : {"a", "b", "c"}) add_node(name);
  settle();
  silence("a");
  advance(std::chrono::seconds(31));
  ASSERT_EQ(state("a"), v1::NodeStatus::LOST);
  advance(std::chrono::seconds(5));
  ASSERT_EQ(state("a"), v1::NodeStatus::LOST);
  liveness_->heard("uid-a", clock_.now());
  advance(std::chrono::seconds(1));
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
}

TEST_F(NodeLife, AnAgentThatWasStoppedInOrderIsNoLoss) {
  for (const char* name : {"a", "b", "c"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 3}}));
  settle();
  liveness_->left("uid-a");
  silence("a");
  advance(std::chrono::seconds(60));
  EXPECT_EQ(state("a"), v1::NodeStatus::UNKNOWN);
  EXPECT_EQ(per_node("web").at("a"), 1) << "its tasks run on";
  apply("shop", make_stack({{"web", "app:1", 6}}));
  settle();
  EXPECT_EQ(per_node("web").at("a"), 1) << "it gets no new ones";
  bring_back("a");
  settle();
  EXPECT_EQ(state("a"), v1::NodeStatus::READY);
}

TEST_F(NodeLife, DrainingMovesTasks) {
  for (const char* name : {"a", "b"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 4}}));
  settle();
  ASSERT_EQ(per_node("web").at("a"), 2);
  change_node("a", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  settle();
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"b", 4}}));
  EXPECT_THAT(running("web"), SizeIs(4));
  EXPECT_EQ(count_reason("TaskMoves"), 2);
  EXPECT_THAT(view().tasks_of_node("uid-a"), IsEmpty());
}

TEST_F(NodeLife, PausingMovesNothingAndSendsNothing) {
  for (const char* name : {"a", "b"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  change_node("a", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::PAUSED); });
  apply("shop", make_stack({{"web", "app:1", 4}}));
  settle();
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"a", 1}, {"b", 3}}));
}

TEST_F(NodeLife, WhatWasOnARemovedNodeIsReplacedAndForgotten) {
  for (const char* name : {"a", "b"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 2},
                            {"db", "app:1", 2, [](v1::ServiceSpec& s) { s.set_on_node_loss(v1::WAIT); }}}));
  settle();
  silence("a");
  store::Transaction transaction;
  store::remove(transaction, *view().nodes().find("a"));
  commit(std::move(transaction));
  settle();
  for (const char* service : {"web", "db"}) {
    EXPECT_EQ(per_node(service), (std::map<std::string, int>{{"b", 2}})) << service;
    EXPECT_THAT(tasks(service, true), IsEmpty()) << service;
  }
}

// Told to stop while nobody heard it, on a node that is then removed: it may run on for a lease, a grace and a margin.
TEST_F(NodeLife, WhatIsFencedHoldsItsSlotAlsoWhenItsNodeIsRemoved) {
  for (const char* name : {"a", "b"}) add_node(name);
  const auto fenced = [](const char* image) {
    return make_stack({{"web", image, 2, [](v1::ServiceSpec& s) { s.set_on_node_loss(v1::FENCE); }}});
  };
  apply("shop", fenced("app:1"));
  settle();
  silence("a");
  apply("shop", fenced("app:2"));
  run_controllers();
  advance(std::chrono::seconds(5));
  store::Transaction transaction;
  store::remove(transaction, *view().nodes().find("a"));
  commit(std::move(transaction));
  run_controllers();
  advance(std::chrono::seconds(48));
  EXPECT_THAT(running("web"), SizeIs(1)) << "the other could still run where nobody answers";
  advance(std::chrono::seconds(10));
  settle();
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"b", 2}}));
  EXPECT_THAT(tasks("web", true), IsEmpty());
}

// A slot that nobody wants any more is given up as well, and holds nothing up for ever.
TEST_F(NodeLife, WhatIsFencedAndSurplusGoesWithItsNode) {
  for (const char* name : {"a", "b"}) add_node(name);
  const auto fenced = [](std::uint32_t replicas) {
    return make_stack({{"web", "app:1", replicas, [](v1::ServiceSpec& s) { s.set_on_node_loss(v1::FENCE); }}});
  };
  apply("shop", fenced(2));
  settle();
  for (const char* name : {"a", "b"}) silence(name);
  apply("shop", fenced(0));
  run_controllers();
  for (const char* name : {"a", "b"}) {
    store::Transaction transaction;
    store::remove(transaction, *view().nodes().find(name));
    commit(std::move(transaction));
  }
  run_controllers();
  EXPECT_THAT(tasks("web", true), SizeIs(2));
  advance(std::chrono::seconds(55));
  EXPECT_THAT(tasks("web", true), IsEmpty());
  remove_stack("shop");
  settle();
  EXPECT_FALSE(view().stacks().find("shop"));
}

// Whether the whole service is to go, or is no longer fenced: then nothing is left to wait for.
TEST_F(NodeLife, WhatIsNoLongerFencedIsNotWaitedFor) {
  for (const bool whole : {true, false}) {
    const std::string name = whole ? "a" : "b";
    add_node(name);
    const auto stack = [](std::uint32_t replicas, v1::OnNodeLoss loss) {
      return make_stack({{"web", "app:1", replicas, [=](v1::ServiceSpec& s) { s.set_on_node_loss(loss); }}});
    };
    apply("shop", stack(1, v1::FENCE));
    settle();
    silence(name);
    apply("shop", stack(0, v1::FENCE));
    run_controllers();
    store::Transaction transaction;
    store::remove(transaction, *view().nodes().find(name));
    commit(std::move(transaction));
    run_controllers();
    EXPECT_THAT(tasks("web", true), SizeIs(1));
    whole ? remove_stack("shop") : apply("shop", stack(0, v1::REPLACE));
    settle();
    EXPECT_THAT(tasks("web", true), IsEmpty());
    EXPECT_EQ(view().stacks().find("shop") == nullptr, whole);
  }
}

TEST_F(NodeLife, ANodeThatIsToGoIsEmptiedFirst) {
  for (const char* name : {"a", "b"}) add_node(name);
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  change_node("a", [this](v1::Node& node) { core::mark_deleted(*node.mutable_meta(), clock_.wall()); });
  run_controllers();
  EXPECT_TRUE(view().nodes().find("a")) << "its task still runs";
  settle();
  EXPECT_FALSE(view().nodes().find("a"));
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"b", 2}}));
}

TEST_F(NodeLife, AStackCannotGoWhileItsNodeIsAway) {
  add_node("a");
  apply("shop", make_stack({{"web"}}));
  settle();
  silence("a");
  advance(std::chrono::seconds(31));
  remove_stack("shop");
  settle();
  EXPECT_EQ(stack_status().message(),
            "web: waits for node a, which does not answer, to stop web.1; `orchion node rm --force a` gives it up");
  bring_back("a");
  settle();
  EXPECT_THAT(view().stacks().all(), IsEmpty());
}

TEST_F(NodeLife, AVolumeIsGivenUpWithItsNode) {
  add_node("a");
  apply("shop", make_stack({{"db", "app:1", 1, mount_data}}, {"data"}));
  settle();
  silence("a");
  advance(std::chrono::seconds(31));
  remove_stack("shop", true);
  settle();
  EXPECT_THAT(view().volumes().all(), SizeIs(1));
  store::Transaction transaction;
  store::remove(transaction, *view().nodes().find("a"));
  commit(std::move(transaction));
  settle();
  EXPECT_THAT(view().volumes().all(), IsEmpty());
  EXPECT_THAT(view().stacks().all(), IsEmpty());
}

TEST_F(NodeLife, DependenciesHoldBackTheFirstTasksOnly) {
  add_node("a");
  const auto needs = [](v1::Dependency::Condition condition) {
    return [condition](v1::ServiceSpec& spec) {
      spec.add_depends_on()->set_service("db");
      spec.mutable_depends_on(0)->set_condition(condition);
    };
  };
  apply("shop", make_stack({{"db", "app:hang"}, {"web", "app:1", 2, needs(v1::Dependency::STARTED)}}));
  settle();
  EXPECT_THAT(tasks("web"), IsEmpty());
  EXPECT_EQ(message("web"), "waits for service db to start");
  apply("shop", make_stack({{"db", "app:1"}, {"web", "app:1", 2, needs(v1::Dependency::STARTED)}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(2));
  apply("shop", make_stack({{"db", "app:hang"}, {"web", "app:1", 3, needs(v1::Dependency::STARTED)}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(3)) << "what runs doesn't wait again";
}

TEST_F(NodeLife, CompletionIsWaitedFor) {
  add_node("a");
  const auto needs = [](v1::ServiceSpec& spec) {
    spec.add_depends_on()->set_service("migrate");
    spec.mutable_depends_on(0)->set_condition(v1::Dependency::COMPLETED_SUCCESSFULLY);
  };
  const auto once = [](v1::ServiceSpec& spec) { spec.mutable_restart()->set_condition(v1::RestartPolicy::NO); };
  apply("shop", make_stack({{"migrate", "app:fail", 1, once}, {"web", "app:1", 1, needs}}));
  settle();
  advance(std::chrono::seconds(100));
  EXPECT_THAT(tasks("web"), IsEmpty());
  EXPECT_EQ(message("web"), "waits for service migrate to complete; migrate.1 failed: no such image");
  EXPECT_EQ(message("migrate"), "migrate.1 failed: no such image") << "restart: no is obeyed";
  apply("shop", make_stack({{"migrate", "app:done", 1, once}, {"web", "app:1", 1, needs}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(1));
  EXPECT_EQ(stack_status().tasks_desired(), 1u) << "what is done isn't wanted any more";
}

TEST_F(NodeLife, HealthIsWaitedFor) {
  add_node("a");
  const auto needs = [](v1::ServiceSpec& spec) {
    spec.add_depends_on()->set_service("db");
    spec.mutable_depends_on(0)->set_condition(v1::Dependency::HEALTHY);
  };
  apply("shop", make_stack({{"db", "app:1"}, {"web", "app:1", 1, needs}}));
  settle();
  EXPECT_THAT(running("db"), SizeIs(1));
  EXPECT_EQ(message("web"),
            "waits for service db to be healthy, but nothing says how to check it: give it a `healthcheck`");
  const auto tell = [this](v1::Health health, const std::string& why) {
    v1::Task task = *running("db").front();
    task.mutable_status()->set_health(health);
    task.mutable_status()->set_health_message(why);
    store::Transaction transaction;
    store::put_status(transaction, task);
    commit(std::move(transaction));
    settle();
  };
  tell(v1::HEALTH_STARTING, "");
  EXPECT_EQ(message("web"), "waits for service db to be healthy");
  tell(v1::HEALTH_BAD, "exit code 1");
  EXPECT_EQ(message("web"), "waits for service db to be healthy; db.1 is unhealthy: exit code 1");
  v1::Task unready = *running("db").front();
  unready.mutable_status()->set_readiness(v1::HEALTH_BAD);
  unready.mutable_status()->set_readiness_message("HTTP status 503");
  store::Transaction transaction;
  store::put_status(transaction, unready);
  commit(std::move(transaction));
  tell(v1::HEALTH_GOOD, "");
  EXPECT_EQ(message("web"), "waits for service db to be healthy; db.1 isn't ready: HTTP status 503");
  unready = *running("db").front();
  unready.mutable_status()->set_readiness(v1::HEALTH_GOOD);
  transaction = {};
  store::put_status(transaction, unready);
  commit(std::move(transaction));
  settle();
  EXPECT_THAT(running("web"), SizeIs(1));
}

TEST_F(NodeLife, WhatIsOptionalHoldsNobodyUpThatIsntThere) {
  add_node("a");
  const auto needs = [](v1::ServiceSpec& spec) {
    for (const char* service : {"down", "broken"}) {
      auto& dependency = *spec.add_depends_on();
      dependency.set_service(service);
      dependency.set_condition(v1::Dependency::STARTED);
      dependency.set_optional(true);
    }
  };
  const auto once = [](v1::ServiceSpec& spec) { spec.mutable_restart()->set_condition(v1::RestartPolicy::NO); };
  apply("shop", make_stack({{"down", "app:1", 0}, {"broken", "app:fail", 1, once}, {"web", "app:1", 1, needs}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(1));
}

TEST_F(NodeLife, FailuresAreReplacedMoreAndMoreSlowly) {
  add_node("a");
  apply("shop", make_stack({{"web", "app:fail"}}));
  settle();
  std::vector<int> seconds;
  auto uid = tasks("web").front()->meta().uid();
  for (int second = 1; second <= 40; ++second) {
    advance(std::chrono::seconds(1));
    if (tasks("web").front()->meta().uid() == uid) continue;
    uid = tasks("web").front()->meta().uid();
    seconds.push_back(second);
  }
  // After 0.1 s, 0.2 s, 0.4 s and so on, as this clock ticks.
  EXPECT_EQ(seconds, (std::vector<int>{1, 2, 3, 4, 6, 10, 17, 30}));
  EXPECT_EQ(message("web"), "web.1 failed: no such image; it is tried again");
  EXPECT_THAT(tasks("web"), SizeIs(1));
}

}  // namespace
}  // namespace orchion::control::controllers
