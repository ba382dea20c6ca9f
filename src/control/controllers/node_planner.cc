#include "control/controllers/node_planner.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/lifecycle.h"

namespace orchion::control::controllers {

namespace {

using State = v1::NodeStatus;

class NodePlanner {
 public:
  NodePlanner(const NodesSnapshot& snapshot, Now now, base::Random& random)
      : snapshot_(snapshot), now_(now), random_(random) {}

  NodesPlan run() {
    const bool wait = is_common_silence_building_up();
    for (const auto& facts : snapshot_.nodes) {
      NodePtr outcome = facts.node;
      if (core::is_deleted(facts.node->meta()) && may_go(facts)) {
        remove(facts);
        continue;
      }
      switch (facts.node->status().state()) {
        case State::READY: outcome = look_at_ready(facts, wait); break;
        case State::LOST: outcome = look_at_lost(facts); break;
        default: break;
      }
      outcome_.push_back(outcome);
    }
    say_whether_paused();
    return std::move(result_);
  }

 private:
  base::Duration silence(const NodeFacts& facts) const {
    const auto since = std::max(facts.last_heard.value_or(snapshot_.serving_since), snapshot_.serving_since);
    return now_.time - since;
  }

  // Nodes fall silent at different beats of their hearts: the first of many to be due must not be replaced before
  // the others are seen to be gone too.
  bool is_common_silence_building_up() const {
    std::size_t counted = 0, silent = 0;
    bool all_due = true;
    for (const auto& facts : snapshot_.nodes) {
      if (facts.node->status().state() != State::READY || facts.left) continue;
      ++counted;
      if (silence(facts) < snapshot_.lost_after / 2) continue;
      ++silent;
      all_due = all_due && silence(facts) >= snapshot_.lost_after;
    }
    return counted >= 3 && silent * 2 > counted && !all_due;
  }

  NodePtr look_at_ready(const NodeFacts& facts, bool wait) {
    if (facts.left)
      return change(facts, State::UNKNOWN, v1::Event::INFO, "NodeLeft",
                    "its agent was stopped in order; its tasks run on, and it gets no new ones until it is back");
    if (wait || silence(facts) < snapshot_.lost_after) return facts.node;
    result_.declared_lost.push_back(facts.node->meta().uid());
    return change(facts, State::LOST, v1::Event::WARNING, "NodeLost",
                  fmt::format("it has not been heard for {} s",
                              std::chrono::duration_cast<std::chrono::seconds>(silence(facts)).count()));
  }

  // The dispatcher writes READY when a session begins; this is for a session that only stalled, and for a
  // declaration that crossed a beginning session.
  NodePtr look_at_lost(const NodeFacts& facts) {
    if (!facts.last_heard || facts.left) return facts.node;
    const auto since = facts.declared_lost.value_or(snapshot_.serving_since);
    const bool is_back = *facts.last_heard > since && silence(facts) < snapshot_.lost_after / 2;
    if (!is_back) return facts.node;
    return change(facts, State::READY, v1::Event::INFO, "NodeReady", "it answers again");
  }

  NodePtr change(const NodeFacts& facts, State::State state, v1::Event::Severity severity, const char* reason,
                 const std::string& message) {
    auto changed = std::make_shared<v1::Node>(*facts.node);
    auto& status = *changed->mutable_status();
    status.set_state(state);
    *status.mutable_since() = core::to_timestamp(now_.wall);
    status.set_message(state == State::READY ? "" : message);
    result_.plan.units.push_back({{Verb::kPutStatus, *changed},
                                  event(facts, severity, reason, fmt::format("node {}: {}", name(facts), message))});
    return changed;
  }

  bool may_go(const NodeFacts& facts) const {
    if (facts.tasks == 0 || facts.left) return true;
    return facts.node->status().state() != State::READY || silence(facts) >= snapshot_.lost_after;
  }

  void remove(const NodeFacts& facts) {
    result_.plan.units.push_back({{Verb::kRemove, *facts.node},
                                  event(facts, v1::Event::INFO, "NodeRemoved",
                                        fmt::format("node {} is no longer part of the cluster", name(facts)))});
  }

  // The event stands with the first node; it is about all of them.
  void say_whether_paused() {
    result_.paused = is_replacement_paused(outcome_, snapshot_.lost_after);
    if (result_.paused == snapshot_.was_paused || snapshot_.nodes.empty()) return;
    const auto lost = std::count_if(outcome_.begin(), outcome_.end(),
                                    [](const NodePtr& node) { return node->status().state() == State::LOST; });
    const NodeFacts& first = snapshot_.nodes.front();
    if (result_.paused) {
      result_.plan.units.push_back({event(
          first, v1::Event::ERROR, "ReplacementPaused",
          fmt::format("{} of {} nodes fell silent together, so their tasks are not replaced until they are back; "
                      "remove those that are gone for good with `orchion node rm`",
                      lost, outcome_.size()))});
    } else {
      result_.plan.units.push_back({event(first, v1::Event::INFO, "ReplacementResumed",
                                          "enough nodes answer again; tasks of lost nodes are replaced")});
    }
  }

  Write event(const NodeFacts& facts, v1::Event::Severity severity, const char* reason, std::string message) {
    return write_event(
        {severity, "Node", "", name(facts), facts.node->meta().uid(), reason, std::move(message), name(facts)}, now_,
        random_);
  }

  static const std::string& name(const NodeFacts& facts) { return facts.node->meta().name(); }

  const NodesSnapshot& snapshot_;
  Now now_;
  base::Random& random_;
  NodesPlan result_;
  std::vector<NodePtr> outcome_;  // the nodes as they will be
};

}  // namespace

NodesPlan plan_nodes(const NodesSnapshot& snapshot, Now now, base::Random& random) {
  return NodePlanner(snapshot, now, random).run();
}

bool is_replacement_paused(std::span<const NodePtr> nodes, base::Duration window) {
  std::vector<base::WallTime> lost;
  std::size_t counted = 0;
  for (const auto& node : nodes) {
    if (core::is_deleted(node->meta())) continue;
    if (node->status().state() == State::LOST) lost.push_back(core::from_timestamp(node->status().since()));
    if (node->status().state() != State::UNKNOWN) ++counted;
  }
  std::sort(lost.begin(), lost.end());
  for (std::size_t i = 0; i < lost.size(); ++i) {
    const auto end = std::upper_bound(lost.begin(), lost.end(), lost[i] + window);
    const auto together = static_cast<std::size_t>(end - lost.begin()) - i;
    // Those lost long before don't count: they were dealt with then.
    const std::size_t there = counted - i;
    if (there >= 3 && together * 2 > there) return true;
  }
  return false;
}

}  // namespace orchion::control::controllers
