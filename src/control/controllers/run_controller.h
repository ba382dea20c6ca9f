#pragma once

#include "control/controllers/controller.h"
#include "control/controllers/run_planner.h"
#include "control/controllers/seen_times.h"

namespace orchion::control::controllers {

// Runs to tasks; see plan_run. A step costs by the tasks of its run and the number of nodes.
class RunController final : public Controller {
 public:
  RunController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;

  void on_task(const store::ObjectChange& change);
  void on_node(const v1::Node* before, const v1::Node* after);
  void enqueue_runs_of_node(const std::string& node_uid);

  ListedNodes nodes_;
  SeenTimes seen_;
};

}  // namespace orchion::control::controllers
