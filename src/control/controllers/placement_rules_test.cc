// Where a service's tasks go by its PlacementRules, and which GPUs they get.

#include "control/controllers/cluster_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using testing::HasSubstr;

class PlacementRulesLife : public ClusterFixture {
 protected:
  void label(const std::string& node, const std::string& zone) {
    change_node(node, [&](v1::Node& n) { (*n.mutable_spec()->mutable_labels())["zone"] = zone; });
  }

  void give_gpus(const std::string& node, int count, const std::string& model = "T4") {
    v1::Node changed = *view().nodes().find(node);
    auto& gpus = *changed.mutable_status()->mutable_capabilities()->mutable_gpus();
    for (int i = 0; i < count; ++i) {
      const auto id = node + "-gpu-" + std::to_string(gpus.size());
      auto& gpu = *gpus.Add();
      gpu.set_id(id);
      gpu.set_model(model);
      gpu.set_memory_bytes(std::int64_t{16} << 30);
    }
    store::Transaction transaction;
    store::put_status(transaction, changed);
    commit(std::move(transaction));
  }
};

TEST_F(PlacementRulesLife, SpreadsOverALabelBeforeNodes) {
  for (const char* node : {"a", "b", "c"}) add_node(node);
  label("a", "east");
  label("b", "east");
  label("c", "west");
  apply("shop", make_stack({{"web", "app:1", 4, [](v1::ServiceSpec& spec) {
                               spec.mutable_placement()->add_spread_over("node.labels.zone");
                             }}}));
  settle();
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"a", 1}, {"b", 1}, {"c", 2}}));
}

TEST_F(PlacementRulesLife, AtMostSoManyOnANode) {
  add_node("a");
  add_node("b");
  apply("shop", make_stack({{"web", "app:1", 5,
                             [](v1::ServiceSpec& spec) { spec.mutable_placement()->set_tasks_per_node_max(2); }}}));
  settle();
  EXPECT_EQ(running("web").size(), 4U);
  EXPECT_THAT(message("web"), HasSubstr("2 have 2 of its tasks, as many as may be"));
  add_node("c");
  settle();
  EXPECT_EQ(running("web").size(), 5U);
}

TEST_F(PlacementRulesLife, NoneIsStartedWhereAllGoTogether) {
  add_node("a", {4, 8});
  const auto gang = [](v1::ServiceSpec& spec) {
    spec.mutable_placement()->set_together(true);
    spec.mutable_container()->mutable_reservations()->set_nano_cpus(2'000'000'000);
  };
  apply("shop", make_stack({{"train", "app:1", 3, gang}, {"web", "app:1", 1}}));
  settle();
  EXPECT_TRUE(running("train").empty());
  EXPECT_EQ(running("web").size(), 1U);
  EXPECT_THAT(message("train"), HasSubstr("started together"));
  add_node("b", {4, 8});
  settle();
  EXPECT_EQ(running("train").size(), 3U);
}

TEST_F(PlacementRulesLife, StaysAwayFromAnotherService) {
  add_node("a");
  add_node("b");
  apply("shop", make_stack({{"db"}}));
  settle();
  const auto there = running("db")[0]->spec().assignment().node();
  const auto apart = [](v1::ServiceSpec& spec) {
    auto& affinity = *spec.mutable_placement()->add_affinities();
    affinity.set_service("db");
    affinity.set_away(true);
  };
  apply("shop", make_stack({{"db"}, {"web", "app:1", 3, apart}}));
  settle();
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{there == "a" ? "b" : "a", 3}}));
}

TEST_F(PlacementRulesLife, TaintsKeepAwayWhoDoesNotTolerateThem) {
  add_node("gpu");
  add_node("plain");
  change_node("gpu", [](v1::Node& node) {
    auto& taint = *node.mutable_spec()->add_taints();
    taint.set_key("gpu");
    taint.set_value("only");
  });
  apply("shop", make_stack({{"web", "app:1", 2}, {"model", "app:1", 2, [](v1::ServiceSpec& spec) {
                                                    spec.mutable_placement()->add_tolerations()->set_key("gpu");
                                                  }}}));
  settle();
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"plain", 2}}));
  EXPECT_EQ(per_node("model"), (std::map<std::string, int>{{"gpu", 1}, {"plain", 1}}));
  change_node("plain", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  settle();
  EXPECT_THAT(message("web"), HasSubstr("1 has the taint gpu=only:no-new-tasks"));
}

TEST_F(PlacementRulesLife, WhoMayNotStayMovesAway) {
  add_node("a");
  apply("shop", make_stack({{"web", "app:1", 2}, {"model", "app:1", 1, [](v1::ServiceSpec& spec) {
                                                    spec.mutable_placement()->add_tolerations()->set_key("gpu");
                                                  }}}));
  settle();
  add_node("b");
  settle();
  const auto model = running("model")[0]->meta().uid();
  const auto taint = [&](v1::Taint::Effect effect) {
    change_node("a", [&](v1::Node& node) {
      node.mutable_spec()->clear_taints();
      auto& added = *node.mutable_spec()->add_taints();
      added.set_key("gpu");
      added.set_effect(effect);
    });
    settle();
  };
  taint(v1::Taint::NO_NEW_TASKS);
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"a", 2}}));
  taint(v1::Taint::NO_TASKS);
  EXPECT_EQ(per_node("web"), (std::map<std::string, int>{{"b", 2}}));
  EXPECT_EQ(running("model")[0]->meta().uid(), model) << "it tolerates that";
  const auto& moved = running("web")[0]->spec().changes(0);
  EXPECT_THAT(moved.message(), HasSubstr("node a has the taint gpu:no-tasks"));
}

TEST_F(PlacementRulesLife, WhatIsReservedForTheSystemIsNobodys) {
  add_node("a", {4, 8});
  change_node("a", [](v1::Node& node) { node.mutable_spec()->mutable_reserved()->set_nano_cpus(1'000'000'000); });
  apply("shop", make_stack({{"web", "app:1", 2, [](v1::ServiceSpec& spec) {
                               spec.mutable_container()->mutable_reservations()->set_nano_cpus(2'000'000'000);
                             }}}));
  settle();
  EXPECT_EQ(running("web").size(), 1U);
  EXPECT_THAT(message("web"), HasSubstr("1 lacks processors (need 2, free 1)"));
}

TEST_F(PlacementRulesLife, GpusAreAssignedAndGivenBack) {
  add_node("a");
  give_gpus("a", 1);
  const auto wants = [](std::uint32_t share) {
    return [share](v1::ServiceSpec& spec) { spec.mutable_container()->mutable_gpus()->set_share_milli(share); };
  };
  apply("shop", make_stack({{"small", "app:1", 2, wants(400)}, {"large", "app:1", 1, wants(600)}}));
  settle();
  ASSERT_EQ(running("small").size() + running("large").size(), 2U);
  const auto somebody = running(running("small").empty() ? "large" : "small")[0];
  ASSERT_EQ(somebody->spec().assignment().gpus_size(), 1);
  EXPECT_EQ(somebody->spec().assignment().gpus(0).id(), "a-gpu-0");
  // Who waits is told what there is, and goes on when there is more.
  const auto waiting = running("large").empty() ? "large" : "small";
  EXPECT_THAT(message(waiting), HasSubstr("1 lacks GPUs"));
  give_gpus("a", 1);
  restart_controllers();
  settle();
  EXPECT_EQ(running("small").size() + running("large").size(), 3U) << "also with what a new server reads";
}

}  // namespace
}  // namespace orchion::control::controllers
