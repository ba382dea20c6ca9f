#include "control/controllers/node_controller.h"

#include "control/controllers/node_planner.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {

NodeController::NodeController(const Context& context, base::Random random)
    : Controller(context, random, "node controller", 1), looked_at_(context.clock.now()) {}

Plan NodeController::plan(const Key&) {
  const Now time = now();
  auto& liveness = context_.liveness;
  if (time.time - looked_at_ > context_.options.node_lost_after / 2) liveness.serve_again(time.time);
  looked_at_ = time.time;
  NodesSnapshot snapshot{{}, liveness.serving_since(), context_.options.node_lost_after, paused_};
  std::vector<NodePtr> nodes;
  for (const auto& [name, node] : view().nodes().all()) {
    const auto& uid = node->meta().uid();
    const auto declared = declared_lost_.find(uid);
    nodes.push_back(node);
    snapshot.nodes.push_back({node, liveness.last_heard(uid), liveness.has_left(uid),
                              declared == declared_lost_.end() ? std::nullopt : std::optional(declared->second),
                              core::is_deleted(node->meta()) ? view().tasks_of_node(uid).size() : 0});
  }
  // What held before this server began was said then.
  if (first_) snapshot.was_paused = is_replacement_paused(nodes, snapshot.lost_after);
  first_ = false;
  auto result = plan_nodes(snapshot, time, random_);
  for (const auto& uid : result.declared_lost) declared_lost_[uid] = time.time;
  paused_ = result.paused;
  result.plan.wake(time.time + context_.options.node_check_every);
  return std::move(result.plan);
}

void NodeController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Task" && !change.after) {
    // The last task of a node that is to go.
    const auto& uid = before<v1::Task>(change)->spec().assignment().node_uid();
    const auto node = uid.empty() ? nullptr : view().nodes().find_uid(uid);
    if (node && core::is_deleted(node->meta())) enqueue_all();
  }
  if (change.kind != "Node") return;
  const auto* was = before<v1::Node>(change);
  const auto* is = after<v1::Node>(change);
  if (is == nullptr) {
    context_.liveness.forget(was->meta().uid());
    declared_lost_.erase(was->meta().uid());
  } else if (is->status().state() == v1::NodeStatus::READY &&
             (was == nullptr || was->status().state() != v1::NodeStatus::READY)) {
    // Whoever wrote READY heard it, or it would be declared lost again before its first heartbeat.
    context_.liveness.heard(is->meta().uid(), now().time);
    declared_lost_.erase(is->meta().uid());
  }
  enqueue_all();
}

void NodeController::enqueue_all() {
  enqueue("Nodes", {});
}

}  // namespace orchion::control::controllers
