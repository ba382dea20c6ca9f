#include "node/networks/published_ports.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "node/networks/addresses.h"

namespace orchion::node::networks {
namespace {

constexpr const char* kLoopback6 = "::1";

// Whether two ports can't be had at once. An IPv6 address other than ::1 meets only itself; ::1 is also part of
// "every address".
bool overlap(const PortKey& a, const PortKey& b) {
  if (a.port != b.port || a.udp != b.udp) return false;
  if (a.host_ip == b.host_ip) return true;
  const auto covers = [](const std::string& all, const std::string& one) {
    const bool v6 = one.find(':') != std::string::npos;
    return (all.empty() && (!v6 || one == kLoopback6)) || (all == kEveryIpv6 && v6);
  };
  return covers(a.host_ip, b.host_ip) || covers(b.host_ip, a.host_ip);
}

// "0.0.0.0" is every IPv4 address, like none at all; and an IPv6 one is written in many ways, of which the kernel knows
// one.
PortKey key_of(const PublishedPort& port) {
  if (const auto v6 = parse_ipv6(port.host_ip)) return {to_string(*v6), port.udp, port.host_port};
  return {port.host_ip == "0.0.0.0" ? "" : port.host_ip, port.udp, port.host_port};
}

// Members are all of one kind.
bool is_distant(const std::vector<PortMember>& members) {
  return !members.empty() && members.front().task_uid == kDistant;
}

bool same(const std::vector<PortMember>& a, const std::vector<PortMember>& b) {
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin());
}

HostPort host_port(const PortKey& key) {
  return {key.host_ip, key.port, key.udp};
}

}  // namespace

// A namespace apart has a 127.0.0.1 of its own, to which nothing can be led from outside.
PortKey PublishedPorts::in_kernel(PortKey key) const {
  if (hold_apart_ && key.host_ip == kLoopback) key.host_ip = kLoopbackApart;
  return key;
}

// Nothing from ::1 leaves the machine; and a namespace apart has none of the machine's IPv6 addresses.
bool PublishedPorts::is_translated(const PortKey& key) const {
  return !is_ipv6(key) || (key.host_ip != kLoopback6 && !hold_apart_);
}

// Whom the kernel leads to.
std::vector<PortMember> PublishedPorts::led_to(const PortKey& key, const std::vector<PortMember>& members) {
  if (!is_ipv6(key)) return members;
  std::vector<PortMember> result;
  for (const auto& member : members) {
    if (!member.address6.empty()) result.push_back({member.task_uid, member.address6, member.port});
  }
  return result;
}

PortKey PublishedPorts::on_machine(PortKey key) const {
  if (hold_apart_ && key.host_ip == kLoopbackApart) key.host_ip = kLoopback;
  return key;
}

std::set<PortKey> PublishedPorts::held() {
  const std::lock_guard lock(mutex_);
  std::set<PortKey> keys;
  for (const auto& [key, port] : ports_) {
    if (!is_ipv6(key)) keys.insert(key);
  }
  return keys;
}

base::Result<> PublishedPorts::adopt() {
  if (adopted_) return {};
  ASSIGN_OR_RETURN(auto listed, firewall_.list_ports());
  for (auto& [key, members] : listed) {
    auto& port = ports_[on_machine(key)];
    if (is_ipv6(key)) {
      for (auto& member : members) member.address6 = std::exchange(member.address, "");
    }
    port.shown = std::move(members);
    (is_distant(port.shown) ? port.distant : port.members) = port.shown;
  }
  adopted_ = true;
  return {};
}

base::Result<> PublishedPorts::check_free(const std::string& task_uid, const std::string& owner,
                                          const PortKey& key) const {
  for (const auto& [other_key, port] : ports_) {
    // What other machines have gives way to a task of this one.
    if (!overlap(key, other_key) || (port.tasks.empty() && port.members.empty())) continue;
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

base::Result<> PublishedPorts::hold(Port& port, const PortKey& key) const {
  const bool v6 = is_ipv6(key);
  const auto have = [this](const PortKey& wanted) {
    return hold_apart_ ? hold_apart_(host_port(wanted)) : hold_port(host_port(wanted));
  };
  if (!v6) {
    ASSIGN_OR_RETURN(auto held, have(key));
    port.holds.push_back(std::move(held));
  }
  if (!v6 && !key.host_ip.empty()) return {};
  const PortKey relay{v6 ? key.host_ip : kLoopback6, key.udp, key.port};
  auto held = have(relay);
  // Without IPv6 nobody comes by ::1; only who asked for it by name is told.
  if (!held && (v6 || held.error().code != base::Code::kUnimplemented)) return std::unexpected(held.error());
  if (!held) return {};
  port.relay_sockets.push_back(std::move(*held));
  port.relay_keys.push_back(relay);
  return {};
}

base::Result<> PublishedPorts::reserve_port(const std::string& task_uid, const std::string& owner, const PortKey& key) {
  RETURN_IF_ERROR(check_free(task_uid, owner, key));
  RETURN_IF_ERROR(give_way(owner, key));
  auto& port = ports_[key];
  // One that only others' machines have is held already.
  if (port.owner.empty()) RETURN_IF_ERROR(hold(port, key));
  port.owner = owner;
  port.tasks.insert(task_uid);
  return {};
}

// Another owner's machines leave `key`, which keeps its hold on the machine, and what it overlaps. What a relay has of
// the latter is free once that has ended, which follows this call: then the next attempt succeeds.
base::Result<> PublishedPorts::give_way(const std::string& owner, const PortKey& key) {
  Members none;
  for (const auto& [other_key, port] : ports_) {
    const bool stays = other_key == key && (port.owner == owner || port.owner.empty());
    if (overlap(key, other_key) && !stays && port.tasks.empty() && port.members.empty()) none[other_key];
  }
  RETURN_IF_ERROR(show({}, none));
  for (const auto& [other_key, members] : none) {
    if (other_key != key) ports_.erase(other_key);
  }
  return {};
}

base::Result<> PublishedPorts::reserve(const std::string& task_uid, const std::string& owner, Addresses to,
                                       const std::vector<PublishedPort>& ports) {
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
  tasks_[task_uid] = {std::move(to), ports};
  return {};
}

// Ports nobody has any more are given up; those that other machines are to have keep their hold.
void PublishedPorts::release(const std::string& task_uid) {
  for (auto& [key, port] : ports_) port.tasks.erase(task_uid);
  std::erase_if(ports_, [this](const auto& entry) {
    const auto is_wanted = [&](const DistantPort& wanted) {
      return entry.first == PortKey{"", wanted.udp, wanted.port};
    };
    return is_unused(entry.second) && std::none_of(distant_.begin(), distant_.end(), is_wanted);
  });
}

base::Result<> PublishedPorts::change_members(const std::string& task_uid, bool published) {
  const auto task = tasks_.find(task_uid);
  if (task == tasks_.end()) return {};
  Members results;
  for (const auto& wanted : task->second.ports) {
    const PortKey key = key_of(wanted);
    // A task may lead two of its ports to one of the machine's: the newest counts.
    auto& after = results.try_emplace(key, ports_[key].members).first->second;
    std::erase_if(after, [&](const PortMember& member) { return member.task_uid == task_uid; });
    const auto& [v4, v6] = task->second.addresses;
    if (published) after.push_back({task_uid, v4, wanted.container_port, v6});
  }
  const bool changes = std::any_of(results.begin(), results.end(),
                                   [&](const auto& entry) { return !same(entry.second, ports_[entry.first].members); });
  if (!changes) return {};
  return show(results, {});
}

// These ports have these members, and those are had by these machines: in the kernel first.
base::Result<> PublishedPorts::show(const Members& members, const Members& distant) {
  Members shown;
  for (const auto* changed : {&members, &distant}) {
    for (const auto& [key, ignored] : *changed) {
      const auto& port = ports_[key];
      const auto own = members.find(key);
      const auto others = distant.find(key);
      const auto& here = own != members.end() ? own->second : port.members;
      const auto& there = others != distant.end() ? others->second : port.distant;
      shown[key] = here.empty() ? there : here;
    }
  }
  std::vector<PortChange> changes;
  for (const auto& [key, after] : shown) {
    if (!is_translated(key)) continue;
    const auto before = led_to(key, ports_[key].shown), now = led_to(key, after);
    if (!same(before, now)) changes.push_back({in_kernel(key), before, now});
  }
  RETURN_IF_ERROR(firewall_.change_ports(changes));
  for (auto& [key, after] : shown) ports_[key].shown = std::move(after);
  for (const auto& [key, after] : members) ports_[key].members = after;
  for (const auto& [key, after] : distant) ports_[key].distant = after;
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
  Members results;
  for (const auto& [key, port] : ports_) {
    auto after = port.members;
    std::erase_if(after, [&](const PortMember& member) { return member.task_uid == task_uid; });
    if (after.size() == port.members.size()) continue;
    results[key] = std::move(after);
  }
  return show(results, {});
}

// Whether `key` is, or can be made, free for other machines to stand in.
bool PublishedPorts::stand_in(const DistantPort& wanted, const PortKey& key) {
  for (const auto& [other_key, port] : ports_) {
    if (!overlap(key, other_key)) continue;
    const bool in_use = !port.tasks.empty() || !port.members.empty();
    if (in_use && (other_key != key || port.owner != wanted.owner)) return false;
  }
  auto& port = ports_[key];
  if (auto held = port.owner.empty() ? hold(port, key) : base::Result<>{}; !held) {
    base::log::warn("{} isn't led to other machines from this one: {}", wanted.owner, held.error().message);
    if (is_unused(port)) ports_.erase(key);
    return false;
  }
  port.owner = wanted.owner;
  // From 127.0.0.1 a relay leads there.
  if (!port.holds.empty()) {
    port.relay_sockets.push_back(std::move(port.holds.back()));
    port.relay_keys.push_back(key);
    port.holds.clear();
  }
  return true;
}

// Brings the ports of other machines to what is wanted of them, as far as this machine's tasks leave room.
base::Result<> PublishedPorts::settle_distant() {
  Members results;
  for (const auto& [key, port] : ports_) {
    if (!port.distant.empty()) results[key];
  }
  for (const auto& wanted : distant_) {
    const PortKey key{"", wanted.udp, wanted.port};
    if (wanted.nodes.empty() || !stand_in(wanted, key)) continue;
    auto& members = results[key];
    for (const auto& node : wanted.nodes) members.push_back({std::string(kDistant), node, wanted.port});
  }
  RETURN_IF_ERROR(show({}, results));
  std::erase_if(ports_, [](const auto& entry) { return is_unused(entry.second); });
  return {};
}

base::Result<> PublishedPorts::set_distant(std::vector<DistantPort> ports) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  distant_ = std::move(ports);
  if (!distant_.empty()) RETURN_IF_ERROR(firewall_.let_pass());
  return settle_distant();
}

base::Result<bool> PublishedPorts::has_distant() {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  return !distant_.empty() ||
         std::any_of(ports_.begin(), ports_.end(), [](const auto& entry) { return !entry.second.distant.empty(); });
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
  return distant_.empty() ? base::Result<>{} : settle_distant();
}

std::vector<RelayPort> PublishedPorts::relay_ports() {
  const std::lock_guard lock(mutex_);
  std::vector<RelayPort> result;
  for (auto& [key, port] : ports_) {
    for (std::size_t i = 0; i < port.relay_keys.size(); ++i)
      result.push_back({port.relay_keys[i], std::exchange(port.relay_sockets[i], base::UniqueFd()), port.shown});
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
