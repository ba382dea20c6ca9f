#include "control/controllers/placement_controller.h"

#include <set>

#include "control/controllers/placement_planner.h"
#include "control/controllers/service_controller.h"
#include "core/lifecycle.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

// A task that came, ended, was told to go or went: whatever else happens to it frees nothing and asks for nothing.
bool concerns_placement(const v1::Task* before, const v1::Task* after) {
  if (before == nullptr) return !after->spec().has_assignment();
  if (after == nullptr) return true;
  return core::is_terminal(before->status().state()) != core::is_terminal(after->status().state());
}

}  // namespace

PlacementController::PlacementController(const Context& context, base::Random random)
    : Controller(context, random, "placement controller", 1) {}

Plan PlacementController::plan(const Key&) {
  const auto& waiting = context_.allocations.unassigned();
  if (waiting.empty()) return {};
  PlacementSnapshot snapshot{cluster_snapshot(view(), context_.allocations), {}};
  std::set<std::string> stacks;
  for (const auto& name : waiting) {
    const auto task = view().tasks().find(name.stack, name.name);
    const auto revision = task ? view().revisions().find(name.stack, task->spec().revision()) : nullptr;
    if (!revision) continue;
    if (stacks.insert(name.stack).second) add_stack(view(), name.stack, snapshot.cluster);
    add_image(view(), revision->spec().template_().container().image(), snapshot.cluster);
    snapshot.tasks.emplace_back(task, revision);
  }
  return plan_placement(snapshot, now(), random_);
}

void PlacementController::on_change(const store::ObjectChange& change) {
  if (context_.allocations.unassigned().empty()) return;
  const bool concerns = change.kind == "Task" ? concerns_placement(before<v1::Task>(change), after<v1::Task>(change))
                                              : change.kind == "Node" || change.kind == "Network" ||
                                                    change.kind == "Volume" || change.kind == "Image";
  if (concerns) enqueue_all();
}

void PlacementController::enqueue_all() {
  enqueue("Tasks", {});
}

}  // namespace orchion::control::controllers
