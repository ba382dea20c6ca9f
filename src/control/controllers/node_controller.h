#pragma once

#include <map>
#include <string>

#include "control/controllers/controller.h"

namespace orchion::control::controllers {

// Nodes that fell silent, came back or are to go; see plan_nodes. Looks at all of them every `node_check_every`. Where
// it didn't get to that for half of `node_lost_after`, this server wasn't serving: all silence counts from then on.
class NodeController final : public Controller {
 public:
  NodeController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;

  base::Time looked_at_;
  std::map<std::string, base::Time> declared_lost_;  // by uid
  bool paused_ = false;
  bool first_ = true;
};

}  // namespace orchion::control::controllers
