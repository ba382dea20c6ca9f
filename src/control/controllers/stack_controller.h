#pragma once

#include "control/controllers/controller.h"

namespace orchion::control::controllers {

// Stacks to services, networks and volumes; see plan_stack.
class StackController final : public Controller {
 public:
  StackController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;
};

}  // namespace orchion::control::controllers
