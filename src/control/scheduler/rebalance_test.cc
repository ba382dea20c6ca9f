#include "control/scheduler/rebalance.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::control::scheduler {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
constexpr std::int64_t kCore = 1'000'000'000;

// Tasks on nodes by hand: what a class reserves is counted on its node.
struct Scene {
  PlacementInput input;
  std::vector<PlacedTask> tasks;

  v1::Node& add_node(const std::string& name, std::int64_t cores = 4, std::int64_t memory = 8 * kGiB) {
    auto node = std::make_shared<v1::Node>();
    node->mutable_meta()->set_name(name);
    node->mutable_meta()->set_uid("uid-" + name);
    node->mutable_status()->set_state(v1::NodeStatus::READY);
    node->mutable_status()->mutable_capabilities()->set_nano_cpus(cores * kCore);
    node->mutable_status()->mutable_capabilities()->set_memory_bytes(memory);
    node->mutable_status()->mutable_capabilities()->set_hostname(name);
    NodeView view;
    view.node = node;
    input.nodes.push_back(std::move(view));
    return *node;
  }

  std::size_t add_class(std::int64_t memory = 0, std::int64_t cpus = 0) {
    TaskClass made;
    made.memory_bytes = memory;
    made.nano_cpus = cpus;
    made.group = input.groups.size();
    input.groups.push_back({"service-" + std::to_string(input.groups.size()), {}});
    input.classes.push_back(std::move(made));
    return input.classes.size() - 1;
  }

  TaskClass& rules(std::size_t task_class) { return input.classes[task_class]; }

  void put(std::size_t task_class, std::size_t node, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      tasks.push_back({task_class, node});
      count_on(task_class, node, 1);
    }
  }

  void count_on(std::size_t task_class, std::size_t node, int sign) {
    auto& view = input.nodes[node];
    const auto& wanted = input.classes[task_class];
    view.reserved_memory_bytes += sign * wanted.memory_bytes;
    view.reserved_nano_cpus += sign * wanted.nano_cpus;
    view.tasks += static_cast<std::uint32_t>(sign);
    for (const auto& port : wanted.ports)
      if (sign > 0) {
        view.ports.push_back(port);
      } else {
        view.ports.erase(std::find(view.ports.begin(), view.ports.end(), port));
      }
    auto& placed = input.groups[wanted.group].placed;
    for (auto& [where, tasks_there] : placed)
      if (where == node) {
        tasks_there += static_cast<std::uint32_t>(sign);
        return;
      }
    placed.emplace_back(node, 1);
  }

  Rebalancing plan(std::size_t moves_max = 100) const { return rebalance(input, tasks, moves_max); }

  // As if the moves were done.
  void carry_out(const Rebalancing& planned) {
    for (const auto& move : planned.moves) {
      auto& task = tasks[move.task];
      count_on(task.task_class, task.node, -1);
      count_on(task.task_class, move.to, 1);
      task.node = move.to;
    }
  }

  std::vector<std::uint32_t> tasks_per_node() const {
    std::vector<std::uint32_t> counts;
    for (const auto& node : input.nodes) counts.push_back(node.tasks);
    return counts;
  }

  double measure() const {
    double sum = 0;
    for (const auto& node : input.nodes) {
      const auto& has = node.node->status().capabilities();
      const double cpus = static_cast<double>(node.reserved_nano_cpus) / static_cast<double>(has.nano_cpus());
      const double memory = static_cast<double>(node.reserved_memory_bytes) / static_cast<double>(has.memory_bytes());
      sum += std::max(cpus, memory) * std::max(cpus, memory);
    }
    return sum;
  }
};

TEST(Rebalance, ANodeThatJoinedGetsItsPartOfTasksThatReserveNothing) {
  Scene scene;
  for (const char* name : {"a", "b", "c"}) scene.add_node(name);
  const auto web = scene.add_class();
  scene.put(web, 0, 3);
  scene.put(web, 1, 3);
  const auto planned = scene.plan();
  ASSERT_THAT(planned.moves, SizeIs(2));
  EXPECT_TRUE(planned.moves[0].by_tasks);
  EXPECT_EQ(planned.moves[0].from_load.tasks, 3U);
  EXPECT_EQ(planned.moves[0].to_load.tasks, 0U);
  scene.carry_out(planned);
  EXPECT_EQ(scene.tasks_per_node(), (std::vector<std::uint32_t>{2, 2, 2}));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(planned.nodes[i].after.tasks, 2U);
  EXPECT_THAT(scene.plan().moves, IsEmpty());
}

TEST(Rebalance, OfEqualMovesTheOneThatSpreadsItsServiceGoesFirst) {
  Scene scene;
  for (const char* name : {"a", "b", "c"}) scene.add_node(name);
  const auto web = scene.add_class();
  const auto console = scene.add_class();
  scene.rules(console).constraints = {"node.hostname==a"};
  scene.put(web, 0, 3);
  scene.put(web, 1, 3);
  scene.put(console, 0, 1);
  const auto planned = scene.plan();
  ASSERT_THAT(planned.moves, SizeIs(2));
  EXPECT_EQ(scene.tasks[planned.moves[0].task].node, 0U) << "from the fullest";
  EXPECT_EQ(scene.tasks[planned.moves[1].task].node, 1U) << "from where more of its service are";
}

TEST(Rebalance, ByTheShareThatIsReservedHoweverSmall) {
  Scene scene;
  for (const char* name : {"a", "b", "c"}) scene.add_node(name);
  const auto web = scene.add_class(kGiB / 64);
  scene.put(web, 0, 3);
  scene.put(web, 1, 3);
  const auto planned = scene.plan();
  EXPECT_THAT(planned.moves, SizeIs(2));
  EXPECT_FALSE(planned.moves[0].by_tasks);
  EXPECT_EQ(planned.nodes[0].before.reserved_milli, 5U);
  EXPECT_EQ(planned.nodes[0].after.reserved_milli, 3U);
}

TEST(Rebalance, WhatCountsIsTheResourceThatIsScarcest) {
  Scene scene;
  scene.add_node("a", 4, 64 * kGiB);
  scene.add_node("b", 4, 64 * kGiB);
  const auto busy = scene.add_class(kGiB, 2 * kCore);
  const auto large = scene.add_class(16 * kGiB, kCore / 10);
  scene.put(busy, 0, 2);
  scene.put(large, 1, 1);
  const auto planned = scene.plan();
  ASSERT_THAT(planned.moves, SizeIs(1));
  EXPECT_EQ(scene.tasks[planned.moves[0].task].task_class, busy);
  EXPECT_EQ(planned.moves[0].from_load.reserved_milli, 1000U);
}

TEST(Rebalance, NoMoreThanAskedForAndTheBestFirst) {
  Scene scene;
  scene.add_node("a");
  scene.add_node("b");
  const auto small = scene.add_class(kGiB / 4);
  const auto large = scene.add_class(2 * kGiB);
  scene.put(small, 0, 8);
  scene.put(large, 0, 2);
  const auto planned = scene.plan(1);
  ASSERT_THAT(planned.moves, SizeIs(1));
  EXPECT_EQ(scene.tasks[planned.moves[0].task].task_class, large);
  EXPECT_THAT(scene.plan(0).moves, IsEmpty());
}

TEST(Rebalance, AnEvenClusterIsLeftAlone) {
  Scene scene;
  scene.add_node("a");
  scene.add_node("b");
  const auto web = scene.add_class(kGiB);
  const auto api = scene.add_class();
  scene.put(web, 0, 3);
  scene.put(web, 1, 2);
  scene.put(api, 0, 20);
  scene.put(api, 1, 20);
  EXPECT_THAT(scene.plan().moves, IsEmpty());
  EXPECT_THAT(Scene().plan().moves, IsEmpty());
}

// A tenth of a per cent more or less is not worth a restart.
TEST(Rebalance, LittleIsNotWorthIt) {
  Scene scene;
  scene.add_node("a");
  scene.add_node("b");
  const auto base = scene.add_class(4 * kGiB);
  const auto tiny = scene.add_class(kGiB / 256);
  scene.put(base, 0, 1);
  scene.put(base, 1, 1);
  scene.put(tiny, 0, 4);
  EXPECT_THAT(scene.plan().moves, IsEmpty());
}

TEST(Rebalance, ASmallMachineIsNotFilledByWhatIsLittleToABigOne) {
  Scene scene;
  scene.add_node("big", 64, 256 * kGiB);
  scene.add_node("small", 4, 4 * kGiB);
  const auto web = scene.add_class(2 * kGiB);
  scene.put(web, 0, 8);
  EXPECT_THAT(scene.plan().moves, IsEmpty()) << "half of the small one for less than a hundredth of the big one";
}

TEST(Rebalance, NodesThatTakeNoTasksNeitherGiveNorGet) {
  Scene scene;
  scene.add_node("a");
  scene.add_node("drained").mutable_spec()->set_availability(v1::NodeSpec::DRAINED);
  scene.add_node("paused").mutable_spec()->set_availability(v1::NodeSpec::PAUSED);
  scene.add_node("lost").mutable_status()->set_state(v1::NodeStatus::LOST);
  const auto web = scene.add_class();
  scene.put(web, 0, 4);
  scene.put(web, 2, 9);
  const auto planned = scene.plan();
  EXPECT_THAT(planned.moves, IsEmpty());
  EXPECT_THAT(planned.nodes, SizeIs(1));
}

TEST(Rebalance, KeepsWhatTasksAskOfNodes) {
  const auto moves = [](const std::function<void(Scene&, std::size_t web)>& more) {
    Scene scene;
    scene.add_node("a");
    scene.add_node("b");
    const auto web = scene.add_class();
    more(scene, web);
    scene.put(web, 0, 4);
    return scene.plan().moves.size();
  };
  EXPECT_EQ(moves([](Scene&, std::size_t) {}), 2U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).constraints = {"node.hostname==a"}; }), 0U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).executor = "docker"; }), 0U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).tasks_per_node_max = 1; }), 1U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).strategy = Strategy::kBinPack; }), 0U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).gpus.set_count(1); }), 0U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).together = true; }), 0U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) { s.rules(web).avoided = {{1, 1}}; }), 0U) << "it failed there";
  EXPECT_EQ(moves([](Scene& s, std::size_t web) {
              s.input.volumes.push_back({"data", VolumeView::kAnywhere});
              s.rules(web).volumes = {0};
            }),
            0U);
  EXPECT_EQ(moves([](Scene& s, std::size_t web) {
              s.rules(web).affinities = {{.group = s.rules(web).group, .domain = "", .away = false}};
            }),
            0U)
      << "they want each other near";
  EXPECT_EQ(moves([](Scene& s, std::size_t web) {
              v1::PortMapping port;
              port.set_host_port(80);
              s.rules(web).ports = {HostPort::of(port, 7)};
              s.input.nodes[1].ports = {HostPort::of(port, 8)};
            }),
            0U)
      << "another has the port there";
}

TEST(Rebalance, TaintsAreMinded) {
  for (const auto effect : {v1::Taint::NO_NEW_TASKS, v1::Taint::PREFER_OTHERS}) {
    Scene scene;
    scene.add_node("a");
    auto& taint = *scene.add_node("b").mutable_spec()->add_taints();
    taint.set_key("big");
    taint.set_effect(effect);
    const auto web = scene.add_class();
    scene.put(web, 0, 4);
    EXPECT_THAT(scene.plan().moves, IsEmpty());
  }
}

// Evenly full, but with both in one zone: that was not asked for.
TEST(Rebalance, SpreadingGoesBeforeEvenness) {
  Scene scene;
  (*scene.add_node("a").mutable_spec()->mutable_labels())["zone"] = "east";
  (*scene.add_node("b").mutable_spec()->mutable_labels())["zone"] = "west";
  (*scene.add_node("c").mutable_spec()->mutable_labels())["zone"] = "west";
  const auto web = scene.add_class();
  scene.rules(web).spread_over = {"node.labels.zone"};
  scene.put(web, 0, 2);
  scene.put(web, 1, 2);
  const auto planned = scene.plan();
  ASSERT_THAT(planned.moves, SizeIs(1)) << "from b to c alone";
  EXPECT_EQ(scene.tasks[planned.moves[0].task].node, 1U);
  EXPECT_EQ(planned.moves[0].to, 2U);
}

TEST(Rebalance, TasksOfOneServiceAreNotPutTogetherForTheSakeOfNumbers) {
  Scene scene;
  scene.add_node("a");
  scene.add_node("b");
  const auto web = scene.add_class();
  const auto other = scene.add_class();
  scene.rules(other).constraints = {"node.hostname==a"};
  scene.put(web, 0, 1);
  scene.put(web, 1, 1);
  scene.put(other, 0, 6);
  EXPECT_THAT(scene.plan().moves, IsEmpty());
}

// Whatever the cluster: every move lessens the measure, no node gets more than it has, and what came of a plan needs
// none.
TEST(Rebalance, ImprovesAndComesToRest) {
  std::uint64_t seed = 1;
  const auto next = [&seed](std::uint64_t below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (seed >> 33) % below;
  };
  for (int round = 0; round < 200; ++round) {
    Scene scene;
    const std::size_t nodes = 2 + next(6);
    for (std::size_t n = 0; n < nodes; ++n)
      scene.add_node("n" + std::to_string(n), 2 + static_cast<std::int64_t>(next(14)),
                     kGiB * (4 + static_cast<std::int64_t>(next(60))));
    for (int s = 0; s < 5; ++s) {
      const auto service = scene.add_class(static_cast<std::int64_t>(next(3)) * kGiB / 2,
                                           static_cast<std::int64_t>(next(3)) * kCore / 4);
      if (next(3) == 0) scene.rules(service).constraints = {"node.hostname!=n0"};
      for (std::size_t n = 0; n < nodes; n += 2) scene.put(service, n, static_cast<std::uint32_t>(next(4)));
    }
    std::size_t moves = 0;
    for (auto planned = scene.plan(4); !planned.moves.empty(); planned = scene.plan(4)) {
      ASSERT_LE(planned.moves.size(), 4U);
      moves += planned.moves.size();
      ASSERT_LT(moves, 1000U) << "it goes on for ever, round " << round;
      const double before = scene.measure();
      std::map<std::size_t, bool> was_over;
      const auto is_over = [&](std::size_t n) {
        const auto& view = scene.input.nodes[n];
        return view.reserved_memory_bytes > view.node->status().capabilities().memory_bytes() ||
               view.reserved_nano_cpus > view.node->status().capabilities().nano_cpus();
      };
      for (std::size_t n = 0; n < nodes; ++n) was_over[n] = is_over(n);
      for (const auto& move : planned.moves)
        ASSERT_TRUE(move.to != 0 || scene.rules(scene.tasks[move.task].task_class).constraints.empty());
      scene.carry_out(planned);
      ASSERT_LE(scene.measure(), before + 1e-9) << "round " << round;
      for (std::size_t n = 0; n < nodes; ++n) ASSERT_TRUE(was_over[n] || !is_over(n)) << "round " << round;
    }
  }
}

TEST(Rebalance, TheSameGivesTheSame) {
  Scene scene;
  for (const char* name : {"a", "b", "c", "d"}) scene.add_node(name);
  const auto web = scene.add_class(kGiB / 2);
  scene.put(web, 0, 9);
  const auto first = scene.plan(), second = scene.plan();
  ASSERT_EQ(first.moves.size(), second.moves.size());
  for (std::size_t i = 0; i < first.moves.size(); ++i) {
    EXPECT_EQ(first.moves[i].task, second.moves[i].task);
    EXPECT_EQ(first.moves[i].to, second.moves[i].to);
  }
}

}  // namespace
}  // namespace orchion::control::scheduler
