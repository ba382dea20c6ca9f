#pragma once

// Decides where tasks go, one after another, and remembers. It knows nodes and classes of tasks as numbers; texts are
// asked about through ClassRules::allowed, once for each class and kind of node.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/scheduler/demand.h"
#include "control/scheduler/filter.h"
#include "control/scheduler/fragmentation.h"
#include "control/scheduler/host_port.h"
#include "control/scheduler/node_table.h"
#include "control/scheduler/winner_tree.h"

namespace orchion::control::scheduler {

using ClassIndex = std::uint32_t;
using GroupIndex = std::uint32_t;    // tasks that are counted together: those of one service
using DomainColumn = std::uint32_t;  // a label, by whose values nodes belong together

// Near the tasks of a group, or away from them.
struct Neighbour {
  GroupIndex group = 0;
  std::optional<DomainColumn> domain;  // near is where its value is the same; none: on the same node
  bool away = false;
  bool preferred = false;
};

// Tasks that are alike.
struct ClassRules {
  Demand demand;
  Strategy strategy = Strategy::kService;
  std::size_t turn = 0;  // of its first task, counted through the nodes; with kRoundRobin
  GroupIndex group = 0;
  // Whether nodes of this kind will do, by what doesn't change while tasks come and go. Empty: all.
  std::function<bool(NodeIndex)> allowed;
  std::vector<HostPort> ports;
  std::vector<std::uint32_t> volumes;
  std::vector<std::pair<NodeIndex, std::uint32_t>> avoided;  // and how little it is wanted; others go before them
  std::vector<NodeIndex> unloved;                            // others go before them where nothing else speaks for them
  std::vector<DomainColumn> spread_over;                     // at most kSpreadMax; the first goes before
  std::vector<Neighbour> neighbours;
  std::uint32_t tasks_per_node_max = 0;  // of its group; 0: any number
};

constexpr std::size_t kSpreadMax = 2;

struct Spot {
  NodeIndex node = 0;
  GpuSet gpus = 0;
};

// One executor. Pure: the same calls give the same answers.
//
// Up to kExactNodes nodes every decision is exact: no node would have had a better score. Above, a class is placed on
// the best of kSampled nodes that can, found from a place that the seed chooses. Where its tasks come in a row, as
// replicas do, it gets a ranking of its nodes (WinnerTree) once the samples have cost as much as that; it is exact from
// then on, at the cost of the nodes that changed since the last of the row and log N each. Whether it fits nowhere is
// always said by all nodes. Classes that are spread over domains or want neighbours look at all nodes, since one task
// changes what many are worth.
class PlacementEngine {
 public:
  static constexpr std::size_t kExactNodes = 200;
  static constexpr std::size_t kSampled = 32;
  static constexpr std::size_t kSampledForGpus = 64;  // with kFragmentation, where a poor choice stays

  explicit PlacementEngine(std::uint64_t seed = 0) : seed_(seed), random_(seed) {}

  // Nodes of one kind are equal to every ClassRules::allowed.
  NodeIndex add_node(const Capacity& capacity, std::uint32_t kind);
  void set_domains(DomainColumn column, std::vector<std::uint32_t> values);  // of each node; 0: none
  void reserve(NodeIndex node, const Demand& demand, std::uint32_t tasks, std::vector<HostPort> ports);
  void reserve_gpu(NodeIndex node, std::size_t gpu, std::uint32_t milli, std::int64_t memory_bytes);

  static constexpr std::int64_t kAnywhere = -1;  // no task has used it yet: the first one placed decides
  std::uint32_t add_volume(std::int64_t node);   // an index, kAnywhere, or what no node has

  GroupIndex add_group();
  void count_in(GroupIndex group, NodeIndex node, std::uint32_t tasks);  // that are placed already
  ClassIndex add_class(ClassRules rules);

  // A task of the class came: for the mix by which kFragmentation judges. It counts once, however often it is decided.
  void arrived(ClassIndex wanted);

  // None: it fits nowhere. What it takes is taken.
  std::optional<Spot> decide(ClassIndex wanted);
  void take(ClassIndex wanted, const Spot& spot);  // of a task that is to be there, whatever speaks against it
  void release(ClassIndex wanted, const Spot& spot);

  // What goes before the nodes' loads where one is chosen for a task of the class: the smaller, the better. None: the
  // node can't take one.
  std::optional<std::uint64_t> reluctance(ClassIndex wanted, NodeIndex node);

  // Why a node can't take a task of the class now; what ClassRules::allowed refuses is kConstraint.
  Filter refusal(ClassIndex wanted, NodeIndex node) const;
  // The volume that is elsewhere, the port that is taken: with kVolume and kPorts.
  const std::uint32_t* missing_volume(ClassIndex wanted, NodeIndex node) const;
  const HostPort* collision(ClassIndex wanted, NodeIndex node) const;

  const NodeTable& nodes() const { return nodes_; }
  const ClassRules& rules(ClassIndex wanted) const { return classes_[wanted].rules; }
  std::size_t bytes() const;  // that all nodes, their order for classes included, take

 private:
  struct Ranking {
    explicit Ranking(std::size_t nodes) : tree(nodes) {}
    WinnerTree tree;
    std::uint64_t seen = 0;         // of the journal
    std::uint64_t mix_version = 0;  // with kFragmentation
    std::uint64_t used = 0;         // at which decision
  };
  struct ClassState {
    ClassRules rules;
    std::vector<std::uint8_t> allowed;  // by kind: kUnknown, kNo, kYes
    std::unordered_map<NodeIndex, std::uint32_t> avoided;
    std::unordered_map<NodeIndex, std::uint32_t> unloved;
    std::size_t placed = 0;
    std::size_t looked = 0;  // at nodes, since its tasks come in a row
    std::uint64_t failed_at = UINT64_MAX;
    std::uint64_t decided_at = 0;  // of the journal
    std::unique_ptr<Ranking> ranking;
  };
  // Of one decision of a class that looks at domains.
  struct DomainCounts {
    std::vector<std::unordered_map<std::uint32_t, std::uint32_t>> spread, near;
  };
  using Group = std::unordered_map<NodeIndex, std::uint32_t>;

  bool is_allowed(ClassState& state, NodeIndex node) const;
  bool has_room(const ClassState& state, NodeIndex node) const;
  bool fits(ClassState& state, NodeIndex node) const { return is_allowed(state, node) && has_room(state, node); }
  bool accepts_neighbours(const ClassState& state, NodeIndex node, const DomainCounts& counts) const;
  std::uint32_t unmet(const ClassState& state, NodeIndex node, const DomainCounts& counts) const;
  DomainCounts count_domains(const ClassRules& rules) const;
  static bool looks_at_domains(const ClassRules& rules) {
    return !rules.spread_over.empty() || !rules.neighbours.empty();
  }

  std::uint64_t reluctance(const ClassState& state, NodeIndex node, const DomainCounts& counts) const;
  ScoreKey score(ClassState& state, NodeIndex node, const DomainCounts& counts) const;
  double growth(const Demand& demand, NodeIndex node, GpuSet* best) const;
  GpuSet choose_gpus(const ClassState& state, NodeIndex node) const;

  std::optional<NodeIndex> find(ClassState& state);
  std::optional<NodeIndex> next_in_turn(ClassState& state);
  std::optional<NodeIndex> best_of_all(ClassState& state);
  std::optional<NodeIndex> best_of_sample(ClassState& state);
  std::optional<NodeIndex> best_ranked(ClassState& state);
  void make_ranking(ClassState& state);
  void rank_all(ClassState& state);
  void drop_oldest_ranking();
  void touch(NodeIndex node);
  void renew_measure();
  std::uint64_t next_random();

  std::size_t place_of(NodeIndex node) const { return (node + seed_ % nodes_.size()) % nodes_.size(); }
  NodeIndex node_at(std::size_t place) const {
    return static_cast<NodeIndex>((place + nodes_.size() - seed_ % nodes_.size()) % nodes_.size());
  }

  std::uint64_t seed_, random_;
  NodeTable nodes_;
  std::vector<std::uint32_t> kinds_;
  std::vector<std::vector<HostPort>> ports_;
  std::vector<std::vector<std::uint32_t>> domains_;  // by column, by node
  std::vector<std::int64_t> volumes_;
  std::vector<Group> groups_;
  std::vector<ClassState> classes_;
  std::size_t rankings_ = 0;
  std::uint64_t decisions_ = 0;
  std::uint64_t releases_ = 0;      // and whatever else may let something fit that didn't
  std::vector<NodeIndex> journal_;  // nodes that changed, the last ones
  std::uint64_t journal_begin_ = 0;
  WorkMix mix_;
  std::uint64_t measured_version_ = 0;
  FragmentationMeasure measure_{{}};
  std::vector<double> fragmentation_;  // by node, as measure_ says; below 0: not known
};

}  // namespace orchion::control::scheduler
