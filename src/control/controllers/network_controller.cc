#include "control/controllers/network_controller.h"

#include "control/controllers/network_planner.h"
#include "control/controllers/virtual_addresses_planner.h"
#include "core/lifecycle.h"
#include "core/network_names.h"

namespace orchion::control::controllers {

NetworkController::NetworkController(const Context& context, base::Random random)
    : Controller(context, random, "network controller", 1) {}

Plan NetworkController::plan(const Key& key) {
  NetworkSnapshot snapshot;
  snapshot.network = view().networks().find(key.name.stack, key.name.name);
  if (!snapshot.network) return {};
  for (const auto& [name, network] : view().networks().all()) snapshot.networks.push_back(network);
  snapshot.in_use = context_.allocations.is_network_used(snapshot.network->meta().uid());
  for (const auto& [name, node] : view().nodes().all())
    if (node->status().state() != v1::NodeStatus::LOST) snapshot.nodes.insert(node->meta().uid());
  if (core::is_deleted(snapshot.network->meta())) snapshot.users = users_of(key.name);
  snapshot.cluster_id = context_.options.cluster_id;
  return plan_network(snapshot, now(), random_);
}

std::set<std::string> NetworkController::users_of(const store::ObjectName& network) const {
  std::set<std::string> users;
  const auto add = [&](const auto& table) {
    for (const auto& [name, object] : table.all())
      if (core::is_attached(name.stack, object->spec().container(), {network.stack, network.name}))
        users.insert(name.stack + "/" + name.name);
  };
  add(view().services());
  add(view().jobs());
  return users;
}

void NetworkController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Network") {
    enqueue("Network", change.name);
    if (change.after) return;
    // A subnet is free again.
    for (const auto& [name, network] : view().networks().all())
      if (network->status().subnet().empty() || !network->status().message().empty()) enqueue("Network", name);
  }
  if (change.kind == "Node") on_node(change);
  if (change.kind == "Job") on_user(before<v1::Job>(change), after<v1::Job>(change));
  if (change.kind == "Service") {
    on_user(before<v1::Service>(change), after<v1::Service>(change));
    if (frees_address(before<v1::Service>(change), after<v1::Service>(change))) enqueue_deleted();
  }
  if (change.kind != "Task" || change.after) return;
  for (const auto& address : before<v1::Task>(change)->spec().assignment().addresses())
    if (const auto network = view().networks().find_uid(address.network_uid());
        network && core::is_deleted(network->meta()))
      enqueue("Network", {network->meta().stack(), network->meta().name()});
}

// One that is lost or gone takes nothing down any more.
void NetworkController::on_node(const store::ObjectChange& change) {
  if (change.after && after<v1::Node>(change)->status().state() != v1::NodeStatus::LOST) return;
  enqueue_deleted();
}

// Of a service or a job. One that is gone, or has left a network, holds none up any more.
template <class T>
void NetworkController::on_user(const T* before, const T* after) {
  if (before == nullptr) return;
  if (after == nullptr || before->meta().generation() != after->meta().generation()) enqueue_deleted();
}

void NetworkController::enqueue_deleted() {
  for (const auto& [name, network] : view().networks().all())
    if (core::is_deleted(network->meta())) enqueue("Network", name);
}

void NetworkController::enqueue_all() {
  for (const auto& [name, network] : view().networks().all()) enqueue("Network", name);
}

}  // namespace orchion::control::controllers
