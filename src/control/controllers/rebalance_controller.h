#pragma once

#include <optional>
#include <string>

#include "control/controllers/controller.h"
#include "control/controllers/rebalance_planner.h"

namespace orchion::control::controllers {

// Moves between nodes: planned when asked for, and by itself where ControllerOptions.rebalance says so, kQuietTime
// after a node was ready, or this server began to plan; and begun, a few at once.
class RebalanceController final : public Controller {
 public:
  RebalanceController(const Context& context, base::Random random)
      : Controller(context, random, "rebalance controller", 1) {}

  // What is to move, durably asked for by `actor` where it isn't a dry run. kInvalidArgument: more than kMovesMax;
  // kAborted: one of the tasks changed meanwhile, and nothing is asked for.
  base::Co<v1::RebalanceResponse> rebalance(v1::RebalanceRequest request, std::string actor);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;

  RebalanceSnapshot snapshot();
  std::vector<TaskPtr> moving_tasks() const;
  void wait_for_quiet();

  ListedNodes nodes_;
  std::optional<base::Time> due_;  // when to plan without being asked
  bool asked_ = false;             // that was planned, and is on its way into the store
};

}  // namespace orchion::control::controllers
