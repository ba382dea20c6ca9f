#include "control/scheduler/rebalance.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "control/scheduler/loaded_engine.h"
#include "control/scheduler/node_filters.h"
#include "core/gpu_request.h"

namespace orchion::control::scheduler {

namespace {

// In millionths of the node, or in tasks. Whole numbers, so that what lessens a sum of squares does so beyond doubt.
using Fullness = std::uint64_t;
using Square = std::uint64_t;

// A thousand times what a node has; the squares of two fit.
constexpr double kFullnessMax = 1e9;

Square square(Fullness value) {
  return value * value;
}

struct NodeState {
  std::size_t index = 0;
  std::int64_t cpus = 0, memory = 0;                    // that it has
  std::int64_t reserved_cpus = 0, reserved_memory = 0;  // of that
  std::uint32_t tasks = 0;

  static Fullness share(std::int64_t part, std::int64_t whole) {
    if (whole <= 0 || part <= 0) return 0;
    const double millionths = static_cast<double>(part) / static_cast<double>(whole) * 1e6;
    return static_cast<Fullness>(std::llround(std::min(millionths, kFullnessMax)));
  }
  Fullness fullness() const { return std::max(share(reserved_cpus, cpus), share(reserved_memory, memory)); }
  Load load() const { return {static_cast<std::uint32_t>(std::min<Fullness>(fullness() / 1000, UINT32_MAX)), tasks}; }

  NodeState with(const TaskClass& task, int sign) const {
    NodeState result = *this;
    result.reserved_cpus += sign * task.nano_cpus;
    result.reserved_memory += sign * task.memory_bytes;
    result.tasks += static_cast<std::uint32_t>(sign);
    return result;
  }
};

bool reserves(const TaskClass& task) {
  return task.nano_cpus > 0 || task.memory_bytes > 0;
}

bool may_move(const TaskClass& task) {
  if (task.strategy == Strategy::kBinPack || task.strategy == Strategy::kFragmentation) return false;
  return task.volumes.empty() && !core::wants_gpus(task.gpus) && !task.together;
}

class Rebalancer {
 public:
  Rebalancer(const PlacementInput& input, const std::vector<PlacedTask>& tasks) : input_(input), engine_(input) {
    for (std::size_t n = 0; n < input.nodes.size(); ++n)
      if (check_condition(*input.nodes[n].node).filter == Filter::kPassed) add_node(n);
    for (std::size_t i = 0; i < tasks.size(); ++i)
      if (counted_.contains(tasks[i].node) && may_move(input.classes[tasks[i].task_class]))
        tasks_[{tasks[i].node, tasks[i].task_class}].push_back(i);
    // The first that was named goes first.
    for (auto& [where, alike] : tasks_) std::reverse(alike.begin(), alike.end());
  }

  Rebalancing plan(std::size_t moves_max) {
    Rebalancing result;
    for (const auto& node : nodes_) result.nodes.push_back({node.index, node.load(), {}});
    while (result.moves.size() < moves_max) {
      const auto move = next();
      if (!move) break;
      result.moves.push_back(*move);
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) result.nodes[i].after = nodes_[i].load();
    return result;
  }

 private:
  // Tasks of a class on a node; and where one of them could go.
  struct Candidate {
    std::pair<std::size_t, std::size_t> from;  // the node and the class
    std::size_t to = 0;                        // in nodes_
    bool by_tasks = false;
    Square gain = 0;
    std::uint64_t eagerness = 0;  // how much less speaks against that place than against where it is
  };

  void add_node(std::size_t n) {
    const auto& view = input_.nodes[n];
    const auto& has = view.node->status().capabilities();
    const auto& system = view.node->spec().reserved();
    counted_.emplace(n, nodes_.size());
    nodes_.push_back({n, has.nano_cpus(), has.memory_bytes(), view.reserved_nano_cpus + system.nano_cpus(),
                      view.reserved_memory_bytes + system.memory_bytes(), view.tasks});
  }

  std::optional<Move> next() {
    mean_fullness_ = mean_tasks_ = 0;
    for (const auto& node : nodes_) {
      mean_fullness_ += static_cast<double>(node.fullness()) / static_cast<double>(nodes_.size());
      mean_tasks_ += static_cast<double>(node.tasks) / static_cast<double>(nodes_.size());
    }
    std::optional<Candidate> best;
    for (const auto& [from, alike] : tasks_)
      if (!alike.empty()) look_from(from, best);
    return best ? std::optional(take(*best)) : std::nullopt;
  }

  void look_from(const std::pair<std::size_t, std::size_t>& from, std::optional<Candidate>& best) {
    const auto& wanted = input_.classes[from.second];
    const auto index = static_cast<ClassIndex>(from.second);
    const auto here = static_cast<NodeIndex>(from.first);
    std::optional<std::uint64_t> against_here;
    for (std::size_t to = 0; to < nodes_.size() && looks_ < kLooksMax; ++to) {
      ++looks_;
      const auto there = static_cast<NodeIndex>(nodes_[to].index);
      if (there == here) continue;
      Candidate found{from, to, !reserves(wanted), 0, UINT64_MAX};
      found.gain = gain(wanted, counted_.at(from.first), to, found.by_tasks);
      if (found.gain == 0 || (best && !is_better(found, *best))) continue;
      if (engine_->refusal(index, there) != Filter::kPassed) continue;
      engine_->release(index, {here, 0});
      if (!against_here) against_here = engine_->reluctance(index, here);
      const auto against_there = engine_->reluctance(index, there);
      engine_->take(index, {here, 0});
      // What could not even come where it is goes anywhere.
      if (!against_there || (against_here && *against_there > *against_here)) continue;
      if (against_here) found.eagerness = *against_here - *against_there;
      if (best && !is_better(found, *best)) continue;
      best = found;
    }
  }

  // What reserves something goes before what is merely counted.
  static bool is_better(const Candidate& a, const Candidate& b) {
    if (a.by_tasks != b.by_tasks) return b.by_tasks;
    return std::tie(a.gain, a.eagerness) > std::tie(b.gain, b.eagerness);
  }

  // By how much the sum of the squares becomes less; 0: it isn't worth it.
  Square gain(const TaskClass& task, std::size_t from, std::size_t to, bool by_tasks) const {
    const NodeState left = nodes_[from].with(task, -1), reached = nodes_[to].with(task, 1);
    const auto measure = [by_tasks](const NodeState& node) { return by_tasks ? node.tasks : node.fullness(); };
    const Fullness before = measure(nodes_[from]), after = measure(reached);
    const double worthwhile = kWorthwhile * (by_tasks ? mean_tasks_ : mean_fullness_);
    if (static_cast<double>(before) - static_cast<double>(after) <= worthwhile) return 0;
    const Square sum = square(before) + square(measure(nodes_[to]));
    const Square sum_after = square(measure(left)) + square(after);
    return sum_after < sum ? sum - sum_after : 0;
  }

  Move take(const Candidate& chosen) {
    auto& alike = tasks_[chosen.from];
    const auto& task = input_.classes[chosen.from.second];
    const auto index = static_cast<ClassIndex>(chosen.from.second);
    auto& left = nodes_[counted_.at(chosen.from.first)];
    auto& reached = nodes_[chosen.to];
    const Move move{alike.back(), reached.index, chosen.by_tasks, left.load(), reached.load()};
    alike.pop_back();
    engine_->release(index, {static_cast<NodeIndex>(left.index), 0});
    engine_->take(index, {static_cast<NodeIndex>(reached.index), 0});
    left = left.with(task, -1);
    reached = reached.with(task, 1);
    return move;
  }

  const PlacementInput& input_;
  LoadedEngine engine_;
  std::vector<NodeState> nodes_;                // that take tasks
  std::map<std::size_t, std::size_t> counted_;  // index into the input's nodes → into nodes_
  // By node and class, the tasks that may move; the last is the next.
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::size_t>> tasks_;
  double mean_fullness_ = 0, mean_tasks_ = 0;  // of nodes_, before the next move
  std::size_t looks_ = 0;
};

}  // namespace

Rebalancing rebalance(const PlacementInput& input, const std::vector<PlacedTask>& tasks, std::size_t moves_max) {
  return Rebalancer(input, tasks).plan(moves_max);
}

}  // namespace orchion::control::scheduler
