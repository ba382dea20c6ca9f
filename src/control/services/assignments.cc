#include "control/services/assignments.h"

#include <algorithm>

#include <google/protobuf/util/message_differencer.h>

#include "control/services/image_carrier.h"
#include "core/lifecycle.h"
#include "core/policy_labels.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

std::string address_of(const store::View& view, const std::string& node_uid) {
  const auto node = view.nodes().find_uid(node_uid);
  return node ? node->status().address() : "";
}

v1::NetworkAssignment network_assignment(const v1::Network& network) {
  v1::NetworkAssignment out;
  out.set_uid(network.meta().uid());
  out.set_stack(network.meta().stack());
  out.set_name(network.meta().name());
  out.set_subnet(network.status().subnet());
  out.set_gateway(network.status().gateway());
  out.set_internal(network.spec().internal());
  out.set_subnet6(network.status().subnet6());
  out.set_gateway6(network.status().gateway6());
  out.set_mtu(network.spec().mtu());
  out.set_driver(network.spec().driver());
  out.set_parent(network.spec().parent());
  return out;
}

void set_variable(v1::ContainerSpec& container, const std::string& name, std::string value) {
  for (auto& variable : *container.mutable_environment())
    if (variable.name() == name) return variable.set_value(std::move(value));
  auto& variable = *container.add_environment();
  variable.set_name(name);
  variable.set_value(std::move(value));
}

// What a run's task is told beside its template.
void add_run(const store::View& view, const v1::Task& task, v1::TaskAssignment& out) {
  const auto run = view.runs().find(task.meta().stack(), task.spec().run());
  if (!run) return;
  set_variable(*out.mutable_container(), "ORCHION_JOB", run->spec().job());
  set_variable(*out.mutable_container(), "ORCHION_RUN", run->meta().name());
  set_variable(*out.mutable_container(), "ORCHION_INDEX", std::to_string(task.spec().index()));
  for (const auto& [name, value] : run->spec().secret_parameters()) {
    set_variable(*out.mutable_container(), name, value);
    out.add_secret_variables(name);
  }
  for (const auto& input : run->spec().template_().inputs()) {
    const auto given = run->spec().inputs().find(input.name());
    if (given == run->spec().inputs().end()) continue;
    auto& told = *out.add_inputs();
    told.set_name(input.name());
    told.set_path(input.path());
    told.set_digest(given->second);
  }
  *out.mutable_outputs() = run->spec().template_().outputs();
}

// A service's labels are those it has now: they may change while its tasks stay.
void add_template(const v1::ServiceSpec& made_from, const v1::Service* service, const v1::NetworkAddress& address,
                  v1::Endpoint& out) {
  const auto& container = made_from.container();
  for (const auto& attachment : container.networks())
    if (attachment.network() == address.network()) *out.mutable_aliases() = attachment.aliases();
  const auto& labels = service != nullptr ? service->spec().labels() : made_from.labels();
  *out.mutable_labels() = core::policy_labels(labels, container.labels());
}

v1::Endpoint endpoint_of(const store::View& view, const v1::Task& task, const v1::NetworkAddress& address) {
  v1::Endpoint out;
  out.set_task_uid(task.meta().uid());
  out.set_network_uid(address.network_uid());
  out.set_address(address.address());
  out.set_address6(address.address6());
  out.set_stack(task.meta().stack());
  out.set_serving(is_reachable(task));
  out.set_of_run(!task.spec().run().empty());
  const auto run = out.of_run() ? view.runs().find(task.meta().stack(), task.spec().run()) : nullptr;
  out.set_service(run ? run->spec().job() : task.spec().service());
  out.set_slot(run ? task.spec().index() + 1 : task.spec().slot());
  const auto service = out.of_run() ? nullptr : view.services().find(task.meta().stack(), task.spec().service());
  if (const auto revision = view.template_of(task))
    add_template(revision->spec().template_(), service.get(), address, out);
  if (!service) return out;
  for (const auto& own : service->status().virtual_addresses()) {
    if (own.network_uid() != address.network_uid()) continue;
    out.set_virtual_address(own.address());
    out.set_virtual_address6(own.address6());
  }
  return out;
}

template <class List>
bool is_same_list(const List& a, const List& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return google::protobuf::util::MessageDifferencer::Equals(one, other);
  });
}

bool is_same_map(const core::Labels& a, const core::Labels& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const auto& entry) {
           const auto other = b.find(entry.first);
           return other != b.end() && other->second == entry.second;
         });
}

}  // namespace

bool is_reachable(const v1::Task& task) {
  return task.spec().desired_state() == v1::DESIRED_RUNNING && task.status().state() == v1::RUNNING &&
         core::is_ready(task.status());
}

bool is_in_networks(const v1::Task& task) {
  return task.spec().has_assignment() && !core::is_terminal(task.status().state());
}

bool is_known_otherwise(const v1::Service& before, const v1::Service& after) {
  return !is_same_map(before.spec().labels(), after.spec().labels()) ||
         !is_same_list(before.status().virtual_addresses(), after.status().virtual_addresses());
}

std::optional<v1::TaskAssignment> assignment_of(const store::View& view, const v1::Task& task) {
  const auto revision = view.template_of(task);
  if (!revision) return std::nullopt;
  v1::TaskAssignment out;
  *out.mutable_task() = task;
  out.mutable_task()->mutable_spec()->clear_changes();  // which are no order
  *out.mutable_container() = revision->spec().template_().container();
  if (out.container().image_digest().empty())
    out.mutable_container()->set_image_digest(revision->status().image_digest());
  *out.mutable_restart() = revision->spec().template_().restart();
  *out.mutable_recovery() = revision->spec().template_().recovery();
  out.set_on_node_loss(revision->spec().template_().on_node_loss());
  if (!task.spec().run().empty()) add_run(view, task, out);
  for (const auto& mount : out.container().mounts()) {
    if (mount.type() != v1::Mount::VOLUME) continue;
    if (const auto volume = view.volumes().find(task.meta().stack(), mount.source())) *out.add_volumes() = *volume;
  }
  return out;
}

v1::Assignments AssignmentFeed::full(const store::View& view) {
  v1::Assignments out;
  out.set_full(true);
  tasks_.clear();
  networks_.clear();
  endpoints_.clear();
  for (const auto& task : view.tasks_of_node(node_uid_)) add_task(view, *task, out);
  for (const auto& [name, volume] : view.volumes().all()) visit_volume(*volume, out);
  for (const auto& [name, network] : view.networks().all()) visit_network(nullptr, *network, out);
  distant_ports_.clear();
  for (const auto& [name, task] : view.tasks().all()) distant_ports_.put(*task, is_reachable(*task));
  told_ports_ = distant_ports_.list(view);
  *out.mutable_distant_ports() = told_ports_;
  policies_.tell_all(view, out);
  routes_.clear();
  tell_routes(view, out);
  peers_.tell_full(view, needs_peers(), out);
  out.set_sequence(sequence_ = 1);
  return out;
}

std::optional<v1::Assignments> AssignmentFeed::delta(const store::View& view,
                                                     const store::ObjectStore::Commit& commit) {
  v1::Assignments out;
  bool ports_touched = false;
  for (const auto& change : commit.changes) {
    ports_touched |= change.kind == "Node";
    if (change.kind == "Node" && change.before && change.after)
      visit_node(view, static_cast<const v1::Node&>(*change.before), static_cast<const v1::Node&>(*change.after), out);
    if (change.kind == "Volume" && change.after) visit_volume(static_cast<const v1::Volume&>(*change.after), out);
    if (change.kind == "Network" && change.after)
      visit_network(static_cast<const v1::Network*>(change.before.get()),
                    static_cast<const v1::Network&>(*change.after), out);
    if (change.kind == "Service" && change.before && change.after)
      visit_service(view, static_cast<const v1::Service&>(*change.before),
                    static_cast<const v1::Service&>(*change.after), out);
    if (change.kind != "Task") continue;
    const auto* before = static_cast<const v1::Task*>(change.before.get());
    const auto* after = static_cast<const v1::Task*>(change.after.get());
    visit_task(view, before, after, out);
    visit_endpoints(view, before, after, out);
    if (const auto* task = after != nullptr ? after : before)
      ports_touched |= distant_ports_.put(*task, after != nullptr && is_reachable(*after));
  }
  const bool rerouted = routes_.is_touched_by(commit) && tell_routes(view, out);
  if (rerouted || !out.removed_tasks().empty()) drop_unused_networks(out);
  if (ports_touched) tell_distant_ports(view, out);
  policies_.tell_changes(view, commit, !tasks_.empty(), out);
  peers_.tell_changes(view, commit, needs_peers(), out);
  return numbered(std::move(out));
}

bool AssignmentFeed::needs_peers() const {
  return !networks_.empty() || !distant_ports_.empty();
}

bool AssignmentFeed::has_routes(const store::View& view) const {
  return routes_.is_told() || has_ingress(view, node_uid_);
}

std::optional<v1::Assignments> AssignmentFeed::renew(const store::View& view) {
  v1::Assignments out;
  if (tell_routes(view, out)) drop_unused_networks(out);
  return numbered(std::move(out));
}

// What says nothing isn't sent.
std::optional<v1::Assignments> AssignmentFeed::numbered(v1::Assignments out) {
  if (out.tasks().empty() && out.removed_tasks().empty() && out.networks().empty() && out.removed_networks().empty() &&
      out.endpoints().empty() && out.removed_endpoints().empty() && out.removed_volumes().empty() &&
      !out.has_distant_ports() && !out.has_policies() && !out.has_routes() && !out.has_peers())
    return std::nullopt;
  out.set_sequence(++sequence_);
  return out;
}

void AssignmentFeed::tell_distant_ports(const store::View& view, v1::Assignments& out) {
  auto ports = distant_ports_.list(view);
  if (google::protobuf::util::MessageDifferencer::Equals(ports, told_ports_)) return;
  told_ports_ = ports;
  *out.mutable_distant_ports() = std::move(ports);
}

void AssignmentFeed::visit_task(const store::View& view, const v1::Task* before, const v1::Task* after,
                                v1::Assignments& out) {
  if (after == nullptr || !is_mine(*after)) {
    if (before != nullptr && is_mine(*before)) drop_task(before->meta().uid(), out);
    return;
  }
  // The agent's own reports come back as changes of the status: nothing to tell it.
  const bool known = tasks_.contains(after->meta().uid());
  if (known && before != nullptr && before->meta().revision() == after->meta().revision()) return;
  add_task(view, *after, out);
}

void AssignmentFeed::add_task(const store::View& view, const v1::Task& task, v1::Assignments& out) {
  auto assignment = assignment_of(view, task);
  if (!assignment) return;
  const auto& container = assignment->container();
  assignment->set_image_elsewhere(
      is_held_elsewhere(view, container.image(), container.image_digest(), task.spec().assignment().node()));
  add_networks(view, task, out);
  *out.add_tasks() = std::move(*assignment);
}

void AssignmentFeed::drop_task(const std::string& uid, v1::Assignments& out) {
  if (tasks_.erase(uid) > 0) out.add_removed_tasks(uid);
}

void AssignmentFeed::add_networks(const store::View& view, const v1::Task& task, v1::Assignments& out) {
  auto& mine = tasks_[task.meta().uid()];
  for (const auto& address : task.spec().assignment().addresses()) {
    mine.insert(address.network_uid());
    join_network(view, address.network_uid(), out);
  }
}

void AssignmentFeed::join_network(const store::View& view, const std::string& uid, v1::Assignments& out) {
  if (networks_.contains(uid)) return;
  const auto network = view.networks().find_uid(uid);
  if (!network) return;
  networks_.insert(uid);
  *out.add_networks() = network_assignment(*network);
  // Of whatever stack. All are looked at, but only when the node joins a network.
  for (const auto& [name, neighbour] : view.tasks().all()) visit_endpoints(view, nullptr, neighbour.get(), out);
}

// Who serves a route is told as if the node had a task there. False: nothing is new.
bool AssignmentFeed::tell_routes(const store::View& view, v1::Assignments& out) {
  if (!routes_.tell(view, out)) return false;
  for (const auto& uid : routes_.networks()) join_network(view, uid, out);
  return true;
}

void AssignmentFeed::drop_unused_networks(v1::Assignments& out) {
  auto used = routes_.networks();
  for (const auto& [uid, networks] : tasks_) used.insert(networks.begin(), networks.end());
  for (auto it = networks_.begin(); it != networks_.end();) {
    if (used.contains(*it)) {
      ++it;
      continue;
    }
    std::erase_if(endpoints_, [&](const auto& told) { return told.first.second == *it; });
    out.add_removed_networks(*it);
    it = networks_.erase(it);
  }
}

// Garbage has found that nothing uses it any more; only the agent's word is missing.
void AssignmentFeed::visit_volume(const v1::Volume& volume, v1::Assignments& out) const {
  if (volume.status().node_uid() == node_uid_ && core::is_deleted(volume.meta()) &&
      core::has_finalizer(volume.meta(), core::kAgentFinalizer))
    out.add_removed_volumes(volume.meta().uid());
}

// Its removal may have been told before, when the last task left: then the answer comes again.
void AssignmentFeed::visit_network(const v1::Network* before, const v1::Network& network, v1::Assignments& out) const {
  if (before != nullptr && networks_.contains(network.meta().uid())) {
    auto now = network_assignment(network);
    if (!google::protobuf::util::MessageDifferencer::Equals(now, network_assignment(*before)))
      *out.add_networks() = std::move(now);
  }
  if (core::is_deleted(network.meta()) && core::has_finalizer(network.meta(), core::agent_finalizer(node_uid_)))
    out.add_removed_networks(network.meta().uid());
}

// Its tasks are reached elsewhere now.
void AssignmentFeed::visit_node(const store::View& view, const v1::Node& before, const v1::Node& after,
                                v1::Assignments& out) {
  if (before.status().address() == after.status().address() || after.meta().uid() == node_uid_) return;
  for (const auto& task : view.tasks_of_node(after.meta().uid())) tell_endpoints_anew(view, *task, out);
}

void AssignmentFeed::visit_service(const store::View& view, const v1::Service& before, const v1::Service& after,
                                   v1::Assignments& out) {
  if (!is_known_otherwise(before, after)) return;
  for (const auto& task : view.tasks_of_service(after.meta().stack(), after.meta().name()))
    tell_endpoints_anew(view, *task, out);
}

void AssignmentFeed::tell_endpoints_anew(const store::View& view, const v1::Task& task, v1::Assignments& out) {
  for (const auto& address : task.spec().assignment().addresses())
    if (const auto told = endpoints_.find({task.meta().uid(), address.network_uid()}); told != endpoints_.end())
      told->second.reset();
  visit_endpoints(view, nullptr, &task, out);
}

void AssignmentFeed::visit_endpoints(const store::View& view, const v1::Task* before, const v1::Task* after,
                                     v1::Assignments& out) {
  const v1::Task* task = after != nullptr ? after : before;
  if (task == nullptr) return;
  const bool present = after != nullptr && is_in_networks(*after);
  const bool serving = present && is_reachable(*after);
  for (const auto& address : task->spec().assignment().addresses()) {
    if (!networks_.contains(address.network_uid())) continue;
    const auto key = std::pair(task->meta().uid(), address.network_uid());
    const auto told = endpoints_.find(key);
    if (present && (told == endpoints_.end() || told->second != serving)) {
      endpoints_[key] = serving;
      auto endpoint = endpoint_of(view, *task, address);
      if (!is_mine(*task)) endpoint.set_node_address(address_of(view, task->spec().assignment().node_uid()));
      *out.add_endpoints() = std::move(endpoint);
    } else if (!present && told != endpoints_.end()) {
      endpoints_.erase(told);
      auto* removed = out.add_removed_endpoints();
      removed->set_task_uid(key.first);
      removed->set_network_uid(key.second);
    }
  }
}

}  // namespace orchion::control::services
