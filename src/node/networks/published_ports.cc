#include "node/networks/published_ports.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace orchion::node::networks {
namespace {

bool is_v6(const std::string& ip) {
  return ip.find(':') != std::string::npos;
}

// Whether two ports can't be had at once. An IPv6 address other than ::1 meets only itself; ::1 is also part of
// "every address".
bool overlap(const PortKey& a, const PortKey& b) {
  if (a.port != b.port || a.udp != b.udp) return false;
  if (a.host_ip == b.host_ip) return true;
  const auto covers = [](const std::string& all, const std::string& one) {
    return (all.empty() && (!is_v6(one) || one == "::1")) || (all == "::" && is_v6(one));
  };
  return covers(a.host_ip, b.host_ip) || covers(b.host_ip, a.host_ip);
}

// "0.0.0.0" is every IPv4 address, like none at all.
PortKey key_of(const PublishedPort& port) {
  return {port.host_ip == "0.0.0.0" ? "" : port.host_ip, port.udp, port.host_port};
}

HostPort host_port(const PortKey& key) {
  return {key.host_ip, key.port, key.udp};
}

}  // namespace

base::Result<> PublishedPorts::adopt() {
  if (adopted_) return {};
  ASSIGN_OR_RETURN(auto listed, firewall_.list_ports());
  for (auto& [key, members] : listed) ports_[key].members = std::move(members);
  adopted_ = true;
  return {};
}

base::Result<> PublishedPorts::check_free(const std::string& task_uid, const std::string& owner,
                                          const PortKey& key) const {
  for (const auto& [other_key, port] : ports_) {
    if (!overlap(key, other_key)) continue;
    const bool is_member = std::any_of(port.members.begin(), port.members.end(),
                                       [&](const PortMember& member) { return member.task_uid == task_uid; });
    // What a former process left belongs to whoever of its members comes first.
    const bool shared = port.owner.empty() ? is_member : port.owner == owner;
    if (other_key == key && shared) continue;
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("port {} is taken on this machine by {}: publish another one",
                                  to_string(host_port(key)), port.owner.empty() ? "another task" : port.owner));
  }
  return {};
}

base::Result<> PublishedPorts::hold(Port& port, const PortKey& key) {
  const bool v6 = is_v6(key.host_ip);
  if (!v6) {
    ASSIGN_OR_RETURN(auto held, hold_port(host_port(key)));
    port.holds.push_back(std::move(held));
  }
  if (!v6 && !key.host_ip.empty()) return {};
  const PortKey relay{v6 ? key.host_ip : "::1", key.udp, key.port};
  auto held = hold_port(host_port(relay));
  // Without IPv6 nobody comes by ::1; only who asked for it by name is told.
  if (!held && (v6 || held.error().code != base::Code::kUnimplemented)) return std::unexpected(held.error());
  if (!held) return {};
  port.relay_sockets.push_back(std::move(*held));
  port.relay_keys.push_back(relay);
  return {};
}

base::Result<> PublishedPorts::reserve_port(const std::string& task_uid, const std::string& owner, const PortKey& key) {
  RETURN_IF_ERROR(check_free(task_uid, owner, key));
  if (const auto known = ports_.find(key); known == ports_.end() || known->second.owner.empty()) {
    Port port;
    RETURN_IF_ERROR(hold(port, key));
    port.owner = owner;
    if (known != ports_.end()) port.members = known->second.members;
    ports_.insert_or_assign(key, std::move(port));
  }
  ports_[key].tasks.insert(task_uid);
  return {};
}

base::Result<> PublishedPorts::reserve(const std::string& task_uid, const std::string& owner,
                                       const std::string& address, const std::vector<PublishedPort>& ports) {
  if (ports.empty()) return {};
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  if (tasks_.contains(task_uid)) return {};
  for (const auto& port : ports) {
    auto reserved = reserve_port(task_uid, owner, key_of(port));
    if (reserved) continue;
    release(task_uid);
    return reserved;
  }
  tasks_[task_uid] = {address, ports};
  return {};
}

// Ports nobody has any more are given up.
void PublishedPorts::release(const std::string& task_uid) {
  for (auto it = ports_.begin(); it != ports_.end();) {
    it->second.tasks.erase(task_uid);
    it = it->second.tasks.empty() && it->second.members.empty() ? ports_.erase(it) : std::next(it);
  }
}

base::Result<> PublishedPorts::change_members(const std::string& task_uid, bool published) {
  const auto task = tasks_.find(task_uid);
  if (task == tasks_.end()) return {};
  std::vector<PortChange> changes;  // in the kernel
  std::map<PortKey, std::vector<PortMember>> results;
  for (const auto& wanted : task->second.ports) {
    const PortKey key = key_of(wanted);
    const auto& before = ports_[key].members;
    // A task may lead two of its ports to one of the machine's: the newest counts.
    auto& after = results.try_emplace(key, before).first->second;
    std::erase_if(after, [&](const PortMember& member) { return member.task_uid == task_uid; });
    if (published) after.push_back({task_uid, task->second.address, wanted.container_port});
  }
  for (const auto& [key, after] : results) {
    const auto& before = ports_[key].members;
    const bool same = before.size() == after.size() && std::is_permutation(before.begin(), before.end(), after.begin());
    if (!same && !is_v6(key.host_ip)) changes.push_back({key, before, after});
  }
  if (!changes.empty()) {
    const std::vector<std::string> self{task->second.address};
    const std::vector<std::string> none;
    RETURN_IF_ERROR(firewall_.change_ports(changes, published ? self : none, published ? none : self));
  }
  for (auto& [key, after] : results) ports_[key].members = std::move(after);
  return {};
}

base::Result<> PublishedPorts::publish(const std::string& task_uid) {
  const std::lock_guard lock(mutex_);
  return change_members(task_uid, true);
}

base::Result<> PublishedPorts::unpublish(const std::string& task_uid) {
  const std::lock_guard lock(mutex_);
  return change_members(task_uid, false);
}

// What a former process published and nobody reserved since.
base::Result<> PublishedPorts::withdraw_adopted(const std::string& task_uid) {
  std::vector<PortChange> changes;
  std::vector<std::string> selves;
  for (auto& [key, port] : ports_) {
    PortChange change{key, port.members, port.members};
    std::erase_if(change.after, [&](const PortMember& member) { return member.task_uid == task_uid; });
    if (change.after.size() == change.before.size()) continue;
    for (const auto& member : change.before) {
      if (member.task_uid == task_uid && std::find(selves.begin(), selves.end(), member.address) == selves.end())
        selves.push_back(member.address);
    }
    port.members = change.after;
    changes.push_back(std::move(change));
  }
  return firewall_.change_ports(changes, {}, selves);
}

base::Result<> PublishedPorts::withdraw(const std::string& task_uid) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  if (tasks_.contains(task_uid)) {
    RETURN_IF_ERROR(change_members(task_uid, false));
    tasks_.erase(task_uid);
  } else {
    RETURN_IF_ERROR(withdraw_adopted(task_uid));
  }
  release(task_uid);
  return {};
}

std::vector<RelayPort> PublishedPorts::relay_ports() {
  const std::lock_guard lock(mutex_);
  std::vector<RelayPort> result;
  for (auto& [key, port] : ports_) {
    for (std::size_t i = 0; i < port.relay_keys.size(); ++i)
      result.push_back({port.relay_keys[i], std::exchange(port.relay_sockets[i], base::UniqueFd()), port.members});
  }
  return result;
}

base::Result<std::vector<std::string>> PublishedPorts::tasks() {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  std::set<std::string> uids;
  for (const auto& [uid, task] : tasks_) uids.insert(uid);
  for (const auto& [key, port] : ports_) {
    for (const auto& member : port.members) uids.insert(member.task_uid);
  }
  return std::vector<std::string>(uids.begin(), uids.end());
}

void PublishedPorts::forget_all() {
  const std::lock_guard lock(mutex_);
  ports_.clear();
  tasks_.clear();
  adopted_ = false;
}

}  // namespace orchion::node::networks
