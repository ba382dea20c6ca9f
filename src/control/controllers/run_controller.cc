#include "control/controllers/run_controller.h"

#include "control/controllers/node_planner.h"

namespace orchion::control::controllers {

namespace {

constexpr int kWorkers = 8;

}  // namespace

RunController::RunController(const Context& context, base::Random random)
    : Controller(context, random, "run controller", kWorkers) {}

Plan RunController::plan(const Key& key) {
  RunSnapshot snapshot;
  snapshot.run = view().runs().find(key.name.stack, key.name.name);
  if (!snapshot.run) return {};
  snapshot.tasks = view().tasks_of_run(key.name.stack, key.name.name);
  snapshot.nodes = nodes_.of(view());
  snapshot.replacement_paused = is_replacement_paused(snapshot.nodes.all(), context_.options.node_lost_after);
  snapshot.ended_since = seen_.note_ended(snapshot.tasks, now().time);
  if (snapshot.run->spec().template_().on_node_loss() == v1::FENCE) {
    snapshot.silent_since = seen_.note_silent(view(), snapshot.tasks, now().time);
    snapshot.lease = context_.options.node_lost_after;
  }
  return plan_run(snapshot, now(), random_);
}

void RunController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Run") enqueue("Run", change.name);
  if (change.kind == "Task") on_task(change);
  nodes_.follow(change);
  if (change.kind == "Node") on_node(before<v1::Node>(change), after<v1::Node>(change));
}

void RunController::on_task(const store::ObjectChange& change) {
  const auto* task = change.after ? after<v1::Task>(change) : before<v1::Task>(change);
  if (task->spec().run().empty()) return;
  if (!change.after) seen_.forget_task(task->meta().uid());
  enqueue("Run", {task->meta().stack(), task->spec().run()});
}

void RunController::enqueue_runs_of_node(const std::string& node_uid) {
  for (const auto& task : view().tasks_of_node(node_uid))
    if (!task->spec().run().empty()) enqueue("Run", {task->meta().stack(), task->spec().run()});
}

void RunController::on_node(const v1::Node* before, const v1::Node* after) {
  if (!is_news(before, after)) return;
  seen_.note_node(before, after);
  enqueue_runs_of_node((after != nullptr ? after : before)->meta().uid());
  // One node more or less may begin or end the pause that holds back replacement everywhere.
  for (const auto& [name, node] : view().nodes().all())
    if (node->status().state() == v1::NodeStatus::LOST) enqueue_runs_of_node(node->meta().uid());
}

void RunController::enqueue_all() {
  for (const auto& [name, run] : view().runs().all()) enqueue("Run", name);
}

}  // namespace orchion::control::controllers
