#include "control/controllers/service_controller.h"

#include <algorithm>
#include <set>

#include "control/controllers/attachments.h"
#include "control/controllers/node_planner.h"
#include "control/controllers/service_slots.h"
#include "control/controllers/virtual_addresses_planner.h"
#include "core/defaults.h"
#include "core/image_reference.h"
#include "core/lifecycle.h"
#include "core/naming.h"
#include "core/network_names.h"
#include "core/shared_network.h"

namespace orchion::control::controllers {

namespace {

// Several services at once: while one waits for the disk, others plan, and the store shares the fsync.
constexpr int kWorkers = 8;

bool depends_on(const v1::Service& service, const std::string& name) {
  return std::any_of(service.spec().depends_on().begin(), service.spec().depends_on().end(),
                     [&](const v1::Dependency& dependency) { return dependency.service() == name; });
}

// Somebody may get into its network, or has to leave it.
bool comes_or_goes(const v1::Task* before, const v1::Task* after) {
  const auto has_network = [](const v1::Task* task) {
    return task != nullptr && task->spec().has_assignment() && !core::is_deleted(task->meta()) && !is_ended(*task);
  };
  return has_network(before) != has_network(after);
}

bool is_newer(const v1::TaskRecord& a, const v1::TaskRecord& b) {
  const auto removed = [](const v1::TaskRecord& record) {
    return std::pair(record.meta().created_at().seconds(), record.meta().created_at().nanos());
  };
  return removed(a) > removed(b);
}

// Looked for only where a slot is empty, which is seldom.
std::map<std::uint32_t, std::shared_ptr<const v1::TaskRecord>> records_of_empty_slots(
    const store::View& view, const v1::Service& service, const std::vector<TaskPtr>& tasks) {
  std::map<std::uint32_t, std::shared_ptr<const v1::TaskRecord>> result;
  std::set<std::uint32_t> taken;
  for (const auto& task : tasks) taken.insert(task->spec().slot());
  std::map<std::string, std::uint32_t> empty;
  for (std::uint32_t slot = 1; slot <= core::tasks_wanted(service.spec()); ++slot)
    if (!taken.contains(slot)) empty.emplace(core::slot_name(service.meta().name(), slot), slot);
  if (empty.empty()) return result;
  for (const auto& record : view.task_records().of_stack(service.meta().stack())) {
    const auto slot = empty.find(record->slot());
    if (slot == empty.end()) continue;
    auto& newest = result[slot->second];
    if (!newest || is_newer(*record, *newest)) newest = record;
  }
  return result;
}

}  // namespace

ServiceController::ServiceController(const Context& context, base::Random random)
    : Controller(context, random, "service controller", kWorkers) {}

Plan ServiceController::plan(const Key& key) {
  return plan_service(snapshot(key.name), now(), random_);
}

ServiceSnapshot ServiceController::snapshot(const store::ObjectName& name) {
  ServiceSnapshot result;
  result.service = view().services().find(name.stack, name.name);
  if (!result.service) return result;
  result.tasks = view().tasks_of_service(name.stack, name.name);
  result.revisions = revisions_of(view(), name);
  result.cluster = cluster_snapshot(nodes_.of(view()), context_.allocations);
  add_stack(view(), name.stack, result.cluster);
  add_container(view(), name.stack, result.service->spec().container(), result.cluster);
  result.replacement_paused = is_replacement_paused(result.cluster.nodes.all(), context_.options.node_lost_after);
  for (const auto& dependency : result.service->spec().depends_on())
    result.dependencies.push_back({dependency, view().services().find(name.stack, dependency.service()),
                                   view().tasks_of_service(name.stack, dependency.service())});
  result.gone = records_of_empty_slots(view(), *result.service, result.tasks);
  result.ended_since = seen_.note_ended(result.tasks, now().time);
  result.running_since = seen_.note_running(result.tasks, now().time);
  result.ready_since = seen_.note_ready(result.tasks, now().time);
  if (result.service->spec().on_node_loss() == v1::FENCE) {
    result.silent_since = seen_.note_silent(view(), result.tasks, now().time);
    result.lease = context_.options.node_lost_after;
  }
  return result;
}

void ServiceController::on_change(const store::ObjectChange& change) {
  nodes_.follow(change);
  if (change.kind == "Service") {
    enqueue("Service", change.name);
    enqueue_dependents(change.name);
    on_service(change.name, before<v1::Service>(change), after<v1::Service>(change));
  } else if (change.kind == "Task") {
    const auto* task = change.after ? after<v1::Task>(change) : before<v1::Task>(change);
    const store::ObjectName service{task->meta().stack(), task->spec().service()};
    if (!change.after && task->spec().assignment().addresses_size() > 0) enqueue_lacking();
    if (task->spec().service().empty()) return;
    if (!change.after) seen_.forget_task(task->meta().uid());
    enqueue("Service", service);
    enqueue_dependents(service);
    if (comes_or_goes(before<v1::Task>(change), after<v1::Task>(change))) enqueue_sharers(service);
  } else if (change.kind == "Network") {
    for (const auto& [name, service] : view().services().all())
      if (core::is_attached(name.stack, service->spec().container(), {change.name.stack, change.name.name}))
        enqueue("Service", name);
  } else if (change.kind == "Node") {
    on_node(before<v1::Node>(change), after<v1::Node>(change));
  }
}

// Addresses that it had are free again.
void ServiceController::on_service(const store::ObjectName& name, const v1::Service* before, const v1::Service* after) {
  if (after != nullptr && lacks_virtual_address(*after)) {
    lacking_.insert(name);
  } else {
    lacking_.erase(name);
  }
  if (frees_address(before, after)) enqueue_lacking();
}

void ServiceController::enqueue_lacking() {
  for (const auto& name : lacking_) enqueue("Service", name);
}

// Only those that still wait for their first tasks.
void ServiceController::enqueue_dependents(const store::ObjectName& name) {
  for (auto it = view().services().all().lower_bound({name.stack, ""});
       it != view().services().all().end() && it->first.stack == name.stack; ++it)
    if (it->second->status().revision().empty() && depends_on(*it->second, name.name)) enqueue("Service", it->first);
}

// Those whose tasks are in the networks of its tasks.
void ServiceController::enqueue_sharers(const store::ObjectName& name) {
  for (auto it = view().services().all().lower_bound({name.stack, ""});
       it != view().services().all().end() && it->first.stack == name.stack; ++it)
    if (it->second->spec().container().network_service() == name.name) enqueue("Service", it->first);
}

void ServiceController::enqueue_services_of_node(const std::string& node_uid) {
  for (const auto& task : view().tasks_of_node(node_uid))
    if (!task->spec().service().empty()) enqueue("Service", {task->meta().stack(), task->spec().service()});
}

void ServiceController::on_node(const v1::Node* before, const v1::Node* after) {
  if (!is_news(before, after)) return;
  seen_.note_node(before, after);
  enqueue_services_of_node((after != nullptr ? after : before)->meta().uid());
  // One node more or less may begin or end the pause that holds back replacement everywhere.
  for (const auto& [name, node] : view().nodes().all())
    if (node->status().state() == v1::NodeStatus::LOST) enqueue_services_of_node(node->meta().uid());
}

void ServiceController::enqueue_all() {
  for (const auto& [name, service] : view().services().all()) {
    enqueue("Service", name);
    if (lacks_virtual_address(*service)) lacking_.insert(name);
  }
}

ClusterSnapshot cluster_snapshot(const NodeList& nodes, const Allocations& allocations) {
  ClusterSnapshot cluster;
  cluster.nodes = nodes;
  cluster.allocations = &allocations;
  return cluster;
}

void add_stack(const store::View& view, const std::string& stack, ClusterSnapshot& cluster) {
  for (const auto& volume : view.volumes().of_stack(stack))
    cluster.volumes.emplace(store::ObjectName{stack, volume->meta().name()}, volume);
}

void add_container(const store::View& view, const std::string& stack, const v1::ContainerSpec& container,
                   ClusterSnapshot& cluster) {
  for (const auto& attachment : container.networks()) {
    auto name = network_name(stack, attachment);
    if (auto network = view.networks().find(name.stack, name.name))
      cluster.networks.emplace(std::move(name), std::move(network));
  }
  if (core::shares_network(container)) {
    store::ObjectName owner{stack, container.network_service()};
    auto tasks = view.tasks_of_service(owner.stack, owner.name);
    cluster.network_owners.emplace(std::move(owner), std::move(tasks));
  }
  const auto image_name = core::normalise_image(container.image());
  if (!image_name) return;
  if (auto image = view.images().find(*image_name)) cluster.images.emplace(*image_name, std::move(image));
}

std::vector<RevisionPtr> revisions_of(const store::View& view, const store::ObjectName& service) {
  std::vector<RevisionPtr> revisions;
  const std::string prefix = service.name + ".";
  for (auto it = view.revisions().all().lower_bound({service.stack, prefix});
       it != view.revisions().all().end() && it->first.stack == service.stack && it->first.name.starts_with(prefix);
       ++it)
    revisions.push_back(it->second);
  return revisions;
}

}  // namespace orchion::control::controllers
