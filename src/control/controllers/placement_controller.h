#pragma once

#include "control/controllers/controller.h"
#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

// Places for tasks that were made without one; see plan_placement. All that wait are looked at together, whenever a
// node, a task, a network or a volume changes; while none waits it does nothing.
class PlacementController final : public Controller {
 public:
  PlacementController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;
  bool opens_network(const store::ObjectChange& change) const;

  PlacementRulesPtr rules_of(const v1::Task& task, const std::shared_ptr<const v1::Run>& run) const;
  std::vector<PlacedTask> placed_tasks() const;
  v1::JobSpec::Placement placement_of(const v1::Run* run) const;

  ListedNodes nodes_;
};

}  // namespace orchion::control::controllers
