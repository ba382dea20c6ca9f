#pragma once

// What the dispatcher hears from nodes, for the node controller: heartbeats are never stored.

#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace orchion::control::controllers {

// Plain data; one executor, the control loop. The dispatcher calls `heard` for every message of a node's session and
// `left` when an agent said goodbye; the end of a session without it is no news: silence is measured, not guessed.
class NodeLiveness {
 public:
  // Silence counts from `serving_since` at the earliest: what nobody listened to was not silent.
  explicit NodeLiveness(base::Time serving_since) : serving_since_(serving_since) {}

  void heard(const std::string& node_uid, base::Time when) { nodes_[node_uid] = {when, false}; }

  // In order: the node isn't lost, however long it stays away, until it is heard again.
  void left(const std::string& node_uid) { nodes_[node_uid].left = true; }

  void forget(const std::string& node_uid) { nodes_.erase(node_uid); }

  std::optional<base::Time> last_heard(const std::string& node_uid) const {
    const auto found = nodes_.find(node_uid);
    return found == nodes_.end() ? std::nullopt : found->second.last_heard;
  }

  bool has_left(const std::string& node_uid) const {
    const auto found = nodes_.find(node_uid);
    return found != nodes_.end() && found->second.left;
  }

  base::Time serving_since() const { return serving_since_; }

  // This server stood still until now (stopped, suspended, starved): nobody's silence during it counts.
  void serve_again(base::Time now) { serving_since_ = now; }

 private:
  struct Heard {
    std::optional<base::Time> last_heard;
    bool left = false;
  };
  std::unordered_map<std::string, Heard> nodes_;
  base::Time serving_since_;
};

}  // namespace orchion::control::controllers
