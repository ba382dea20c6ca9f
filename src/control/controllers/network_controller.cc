#include "control/controllers/network_controller.h"

#include "control/controllers/network_planner.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {

NetworkController::NetworkController(const Context& context, base::Random random)
    : Controller(context, random, "network controller", 1) {}

Plan NetworkController::plan(const Key& key) {
  NetworkSnapshot snapshot;
  snapshot.network = view().networks().find(key.name.stack, key.name.name);
  if (!snapshot.network) {
    said_.erase(key.name);
    return {};
  }
  for (const auto& [name, network] : view().networks().all()) snapshot.networks.push_back(network);
  snapshot.in_use = context_.allocations.is_network_used(snapshot.network->meta().uid());
  for (const auto& [name, node] : view().nodes().all())
    if (node->status().state() != v1::NodeStatus::LOST) snapshot.nodes.insert(node->meta().uid());
  snapshot.said = said_[key.name];
  auto result = plan_network(snapshot, now(), random_);
  said_[key.name] = result.said;
  return std::move(result.plan);
}

void NetworkController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Network") {
    enqueue("Network", change.name);
    if (change.after) return;
    // A subnet is free again.
    for (const auto& [name, network] : view().networks().all())
      if (network->status().subnet().empty()) enqueue("Network", name);
  }
  if (change.kind == "Node") on_node(change);
  if (change.kind != "Task" || change.after) return;
  for (const auto& address : before<v1::Task>(change)->spec().assignment().addresses())
    if (const auto network = view().networks().find_uid(address.network_uid());
        network && core::is_deleted(network->meta()))
      enqueue("Network", {network->meta().stack(), network->meta().name()});
}

// One that is lost or gone takes nothing down any more.
void NetworkController::on_node(const store::ObjectChange& change) {
  if (change.after && after<v1::Node>(change)->status().state() != v1::NodeStatus::LOST) return;
  for (const auto& [name, network] : view().networks().all())
    if (core::is_deleted(network->meta())) enqueue("Network", name);
}

void NetworkController::enqueue_all() {
  for (const auto& [name, network] : view().networks().all()) enqueue("Network", name);
}

}  // namespace orchion::control::controllers
