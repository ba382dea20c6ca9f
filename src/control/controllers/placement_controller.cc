#include "control/controllers/placement_controller.h"

#include <set>

#include "control/controllers/placement_planner.h"
#include "control/controllers/service_controller.h"
#include "control/controllers/virtual_addresses_planner.h"
#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/run_queue.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

// A task that came, ended, was told to go or went: whatever else happens to it frees nothing and asks for nothing.
bool concerns_placement(const v1::Task* before, const v1::Task* after) {
  if (before == nullptr) return !after->spec().has_assignment();
  if (after == nullptr) return true;
  return core::is_terminal(before->status().state()) != core::is_terminal(after->status().state());
}

bool concerns_placement(const store::ObjectChange& change) {
  if (change.kind == "Task") return concerns_placement(before<v1::Task>(change), after<v1::Task>(change));
  if (change.kind == "Service") return frees_address(before<v1::Service>(change), after<v1::Service>(change));
  return change.kind == "Node" || change.kind == "Network" || change.kind == "Volume" || change.kind == "Image";
}

}  // namespace

PlacementController::PlacementController(const Context& context, base::Random random)
    : Controller(context, random, "placement controller", 1) {}

Plan PlacementController::plan(const Key&) {
  const auto& waiting = context_.allocations.unassigned();
  if (waiting.empty()) return {};
  PlacementSnapshot snapshot{cluster_snapshot(nodes_.of(view()), context_.allocations), {}, {}};
  bool somebody_preempts = false;
  std::set<std::string> stacks;
  for (const auto& name : waiting) {
    const auto task = view().tasks().find(name.stack, name.name);
    const auto revision = task ? view().template_of(*task) : nullptr;
    if (!revision) continue;
    if (stacks.insert(name.stack).second) add_stack(view(), name.stack, snapshot.cluster);
    add_container(view(), name.stack, revision->spec().template_().container(), snapshot.cluster);
    auto run = task->spec().run().empty() ? nullptr : view().runs().find(name.stack, task->spec().run());
    auto rules = rules_of(*task, run);
    somebody_preempts = somebody_preempts || (run ? run->spec().template_().preempts() : rules && rules->preempts());
    const auto placement = placement_of(run.get());
    snapshot.tasks.push_back({task, revision, std::move(run), placement, std::move(rules)});
  }
  if (somebody_preempts) snapshot.placed = placed_tasks();
  return plan_placement(snapshot, now(), random_);
}

// A queue's goes for all that name it, also for runs that were made when it said something else.
v1::JobSpec::Placement PlacementController::placement_of(const v1::Run* run) const {
  if (run == nullptr) return v1::JobSpec::LEAST_LOADED;
  const auto& spec = run->spec().template_();
  const auto stack = spec.queue().empty() ? nullptr : view().stacks().find(run->meta().stack());
  const auto* queue = stack ? core::find_queue(stack->spec(), spec.queue()) : nullptr;
  return queue != nullptr ? queue->placement() : spec.placement();
}

// As its service says now, whatever it said when the task was made.
PlacementRulesPtr PlacementController::rules_of(const v1::Task& task, const std::shared_ptr<const v1::Run>& run) const {
  if (run) return {run, &run->spec().template_().placement_rules()};
  const auto service = view().services().find(task.meta().stack(), task.spec().service());
  return service ? PlacementRulesPtr(service, &service->spec().placement()) : nullptr;
}

std::vector<PlacedTask> PlacementController::placed_tasks() const {
  std::vector<PlacedTask> placed;
  for (const auto& [name, run] : view().runs().all()) {
    if (core::is_ended(run->status().state())) continue;
    const auto cost = Cost::of(run->spec().template_().container());
    for (const auto& task : view().tasks_of_run(name.stack, name.name))
      if (task->spec().has_assignment() && !core::is_terminal(task->status().state()))
        placed.push_back({task, cost, run->spec().template_().priority()});
  }
  return placed;
}

void PlacementController::on_change(const store::ObjectChange& change) {
  nodes_.follow(change);
  if (context_.allocations.unassigned().empty()) return;
  if (concerns_placement(change) || opens_network(change)) enqueue_all();
}

// A task has got a place; others of its stack, which may share its network, wait for one.
bool PlacementController::opens_network(const store::ObjectChange& change) const {
  const auto* task = change.kind == "Task" ? after<v1::Task>(change) : nullptr;
  if (task == nullptr || !task->spec().has_assignment()) return false;
  if (const auto* former = before<v1::Task>(change); former != nullptr && former->spec().has_assignment()) return false;
  const auto& waiting = context_.allocations.unassigned();
  const auto next = waiting.lower_bound({task->meta().stack(), ""});
  return next != waiting.end() && next->stack == task->meta().stack();
}

void PlacementController::enqueue_all() {
  enqueue("Tasks", {});
}

}  // namespace orchion::control::controllers
