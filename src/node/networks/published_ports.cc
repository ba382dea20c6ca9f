#include "node/networks/published_ports.h"

#include <algorithm>

#include <fmt/format.h>

namespace orchion::node::networks {
namespace {

bool is_v6(const std::string& ip) { return ip.find(':') != std::string::npos; }

// Whether two ports can't be had at once. An IPv6 address other than ::1 meets only itself; ::1 is also part of
// "every address".
bool overlap(const HostPort& a, const HostPort& b) {
  if (a.port != b.port || a.udp != b.udp) return false;
  if (a.host_ip == b.host_ip) return true;
  const auto covers = [](const std::string& all, const std::string& one) {
    return (all.empty() && (!is_v6(one) || one == "::1")) || (all == "0.0.0.0" && !is_v6(one)) ||
           (all == "::" && is_v6(one));
  };
  return covers(a.host_ip, b.host_ip) || covers(b.host_ip, a.host_ip);
}

HostPort claim_of(const PublishedPort& port) { return {port.host_ip, port.host_port, port.udp}; }

// "0.0.0.0" is every IPv4 address, like none at all.
std::string address_in_kernel(const std::string& host_ip) { return host_ip == "0.0.0.0" ? "" : host_ip; }

}  // namespace

base::Result<> PublishedPorts::adopt() {
  if (adopted_) return {};
  ASSIGN_OR_RETURN(auto elements, firewall_.list_ports());
  for (auto& element : elements) tasks_[element.task_uid].elements.push_back(std::move(element));
  adopted_ = true;
  return {};
}

base::Result<> PublishedPorts::check_ours(const std::string& task_uid, const std::vector<PublishedPort>& ports) const {
  for (const auto& port : ports) {
    const HostPort wanted = claim_of(port);
    const auto meets = [&](const HostPort& other) { return overlap(wanted, other); };
    const auto meets_element = [&](const PortElement& other) {
      return overlap(wanted, {other.host_ip, other.host_port, other.udp});
    };
    for (const auto& [uid, task] : tasks_) {
      if (uid == task_uid) continue;
      if (std::none_of(task.claims.begin(), task.claims.end(), meets) &&
          std::none_of(task.elements.begin(), task.elements.end(), meets_element)) {
        continue;
      }
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("port {} is already published on this machine by task {}: publish another one",
                                    to_string(wanted), uid));
    }
  }
  return {};
}

base::Result<> PublishedPorts::hold(Task& task, const std::string& task_uid, const std::string& address,
                                    const PublishedPort& port) {
  const bool v6 = is_v6(port.host_ip);
  if (!v6) {
    ASSIGN_OR_RETURN(auto held, hold_port(claim_of(port)));
    task.holds.push_back(std::move(held));
    task.elements.push_back({address_in_kernel(port.host_ip), port.udp, port.host_port, address, port.container_port,
                             task_uid});
  }
  if (v6 || port.host_ip.empty()) {
    auto held = hold_port({v6 ? port.host_ip : "::1", port.host_port, port.udp});
    if (held) task.relays.push_back({std::move(*held), port.udp, address, port.container_port});
    // Without IPv6 nobody comes by ::1; only who asked for it by name is told.
    if (!held && (v6 || held.error().code != base::Code::kUnimplemented)) return std::unexpected(held.error());
  }
  task.claims.push_back(claim_of(port));
  return {};
}

base::Result<> PublishedPorts::replace_elements(const std::vector<PortElement>& old,
                                                const std::vector<PortElement>& wanted) {
  const auto missing_in = [](const std::vector<PortElement>& in, const std::vector<PortElement>& of) {
    std::vector<PortElement> out;
    std::copy_if(of.begin(), of.end(), std::back_inserter(out),
                 [&](const PortElement& port) { return std::find(in.begin(), in.end(), port) == in.end(); });
    return out;
  };
  const auto stale = missing_in(wanted, old);
  if (!stale.empty()) RETURN_IF_ERROR(firewall_.remove_ports(stale));
  const auto fresh = missing_in(old, wanted);
  if (!fresh.empty()) RETURN_IF_ERROR(firewall_.add_ports(fresh));
  return {};
}

base::Result<> PublishedPorts::publish(const std::string& task_uid, const std::string& address,
                                       const std::vector<PublishedPort>& ports) {
  if (ports.empty()) return {};
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  const auto known = tasks_.find(task_uid);
  if (known != tasks_.end() && !known->second.claims.empty()) return {};
  RETURN_IF_ERROR(check_ours(task_uid, ports));
  Task task;
  for (const auto& port : ports) RETURN_IF_ERROR(hold(task, task_uid, address, port));
  const auto old = known == tasks_.end() ? std::vector<PortElement>{} : known->second.elements;
  RETURN_IF_ERROR(replace_elements(old, task.elements));
  tasks_.insert_or_assign(task_uid, std::move(task));
  return {};
}

std::vector<RelaySocket> PublishedPorts::take_relays(const std::string& task_uid) {
  const std::lock_guard lock(mutex_);
  const auto known = tasks_.find(task_uid);
  return known == tasks_.end() ? std::vector<RelaySocket>{} : std::exchange(known->second.relays, {});
}

base::Result<> PublishedPorts::withdraw(const std::string& task_uid) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  const auto known = tasks_.find(task_uid);
  if (known == tasks_.end()) return {};
  if (!known->second.elements.empty()) RETURN_IF_ERROR(firewall_.remove_ports(known->second.elements));
  tasks_.erase(known);
  return {};
}

base::Result<std::vector<std::string>> PublishedPorts::tasks() {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  std::vector<std::string> uids;
  for (const auto& [uid, task] : tasks_) uids.push_back(uid);
  return uids;
}

void PublishedPorts::forget_all() {
  const std::lock_guard lock(mutex_);
  tasks_.clear();
  adopted_ = false;
}

}  // namespace orchion::node::networks
