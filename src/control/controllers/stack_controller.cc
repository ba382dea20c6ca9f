#include "control/controllers/stack_controller.h"

#include "control/controllers/stack_planner.h"

namespace orchion::control::controllers {

StackController::StackController(const Context& context, base::Random random)
    : Controller(context, random, "stack controller", 2) {}

Plan StackController::plan(const Key& key) {
  const auto& name = key.name.name;
  return plan_stack(
      {view().stacks().find(name), view().services().of_stack(name), view().jobs().of_stack(name),
       view().networks().of_stack(name), view().volumes().of_stack(name), view().network_policies().of_stack(name)},
      now(), random_);
}

void StackController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Stack") enqueue("Stack", change.name);
  if (change.kind == "Service" || change.kind == "Job" || change.kind == "Network" || change.kind == "Volume" ||
      change.kind == "NetworkPolicy")
    enqueue("Stack", {"", change.name.stack});
}

void StackController::enqueue_all() {
  for (const auto& [name, stack] : view().stacks().all()) enqueue("Stack", name);
}

}  // namespace orchion::control::controllers
