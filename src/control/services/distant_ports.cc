#include "control/services/distant_ports.h"

namespace orchion::control::services {

bool is_for_all_nodes(const v1::PortMapping& port) {
  return port.host_port() != 0 && !port.host_only() && (port.host_ip().empty() || port.host_ip() == "0.0.0.0");
}

bool DistantPortTable::put(const v1::Task& task, bool reachable) {
  const auto& assignment = task.spec().assignment();
  if (assignment.node_uid().empty() || assignment.node_uid() == node_uid_) return false;
  const auto owner =
      task.meta().stack() + "/" + (task.spec().run().empty() ? task.spec().service() : task.spec().run());
  bool changed = false;
  for (const auto& port : assignment.ports()) {
    if (!is_for_all_nodes(port)) continue;
    const Port key{port.host_port(), port.protocol() == "udp"};
    if (reachable) {
      changed |= ports_[key][owner].insert_or_assign(task.meta().uid(), assignment.node_uid()).second;
    } else {
      changed |= erase(key, owner, task.meta().uid());
    }
  }
  return changed;
}

bool DistantPortTable::erase(const Port& key, const std::string& owner, const std::string& task_uid) {
  const auto port = ports_.find(key);
  if (port == ports_.end()) return false;
  const auto tasks = port->second.find(owner);
  if (tasks == port->second.end() || tasks->second.erase(task_uid) == 0) return false;
  if (tasks->second.empty()) port->second.erase(tasks);
  if (port->second.empty()) ports_.erase(port);
  return true;
}

v1::DistantPorts DistantPortTable::list(const store::View& view) const {
  v1::DistantPorts out;
  for (const auto& [key, owners] : ports_) {
    const auto& [owner, tasks] = *owners.begin();
    std::set<std::string> addresses;
    for (const auto& [task, node_uid] : tasks) {
      const auto node = view.nodes().find_uid(node_uid);
      if (node && !node->status().address().empty()) addresses.insert(node->status().address());
    }
    if (addresses.empty()) continue;
    auto& port = *out.add_ports();
    port.set_owner(owner);
    port.set_port(std::get<0>(key));
    port.set_udp(std::get<1>(key));
    port.mutable_node_addresses()->Assign(addresses.begin(), addresses.end());
  }
  return out;
}

}  // namespace orchion::control::services
