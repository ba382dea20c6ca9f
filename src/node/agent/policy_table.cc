#include "node/agent/policy_table.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace orchion::node::agent {

namespace {

using core::Direction;

constexpr base::Duration kLearnedLeast = std::chrono::seconds(60);
constexpr std::size_t kLearnedMax = 10'000;

constexpr Direction kDirections[] = {Direction::kIngress, Direction::kEgress};

bool means_names(const v1::PolicyPeer& peer) {
  return !peer.name().empty();
}

std::string plain_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string group_name(Direction direction, const std::vector<std::string>& policies) {
  return fmt::format("{} {}", core::direction_text(direction), fmt::join(policies, " "));
}

std::vector<networks::PolicyPorts> ports_of(const v1::PolicyRule& rule) {
  std::vector<networks::PolicyPorts> out;
  for (const auto& port : rule.ports())
    out.push_back({.tcp = port.protocol() != "udp",
                   .udp = port.protocol() != "tcp",
                   .first = static_cast<std::uint16_t>(port.port()),
                   .last = static_cast<std::uint16_t>(std::max(port.port(), port.last()))});
  return out;
}

// Whether that changes anything; nullopt: it isn't there.
template <class Map>
bool put(Map& map, const std::string& name, std::optional<typename Map::mapped_type> value) {
  const auto found = map.find(name);
  if (!value) return found != map.end() && map.erase(name) > 0;
  if (found != map.end() && found->second == *value) return false;
  map.insert_or_assign(name, *std::move(value));
  return true;
}

}  // namespace

void PolicyTable::set_policies(const v1::PolicyAssignments& policies) {
  std::map<std::string, v1::PolicyAssignment> named;
  for (const auto& policy : policies.policies()) named[core::policy_name(policy)] = policy;
  const auto same = [](const auto& a, const auto& b) {
    return a.first == b.first && a.second.SerializeAsString() == b.second.SerializeAsString();
  };
  if (std::ranges::equal(named, policies_, same)) return;
  policies_ = std::move(named);
  rebuild();
}

// A policy changes seldom; then all is counted anew, and what comes to the same is told to nobody.
void PolicyTable::rebuild() {
  for (const auto& [name, group] : groups_) touched_groups_.insert(name);
  for (const auto& [uid, groups] : groups_of_task_) touched_tasks_.insert(uid);
  members_.clear();
  groups_.clear();
  groups_of_policy_.clear();
  groups_of_task_.clear();
  for (const auto& [uid, task] : tasks_) count_task(task, 1);
  std::erase_if(names_, [&](const auto& entry) { return !asks_for(entry.first); });
  names_size_ = 0;
  for (const auto& [name, learned] : names_) {
    names_size_ += learned.addresses.size();
    for (const auto& [address, until] : learned.addresses) count_name(name, address, 1);
  }
  for (const auto& uid : held_) place(uid);
}

void PolicyTable::put_network(const v1::NetworkAssignment& network) {
  std::vector<core::IpRange> subnets;
  for (const auto& text : {network.subnet(), network.subnet6()})
    if (const auto range = core::parse_ip_range(text)) subnets.push_back(*range);
  auto& known = subnets_[network.uid()];
  if (known == subnets) return;
  known = std::move(subnets);
  touch_ranges();
}

void PolicyTable::remove_network(const std::string& uid) {
  if (subnets_.erase(uid) > 0) touch_ranges();
}

void PolicyTable::touch_ranges() {
  for (const auto& [name, group] : groups_) touched_groups_.insert(name);
}

void PolicyTable::put_endpoint(const v1::Endpoint& endpoint) {
  core::PolicyTask identity{endpoint.stack(), endpoint.service(), {endpoint.labels().begin(), endpoint.labels().end()}};
  std::vector<std::string> addresses;
  for (const auto& address : {endpoint.address(), endpoint.address6()})
    if (!address.empty()) addresses.push_back(address);
  auto& task = tasks_[endpoint.task_uid()];
  const bool same_identity = task.identity == identity;
  const auto known = task.addresses.find(endpoint.network_uid());
  if (same_identity && known != task.addresses.end() && known->second == addresses) return;
  count_task(task, -1);
  task.identity = std::move(identity);
  task.addresses[endpoint.network_uid()] = std::move(addresses);
  count_task(task, 1);
  place(endpoint.task_uid());
}

void PolicyTable::remove_endpoint(const std::string& task_uid, const std::string& network_uid) {
  const auto found = tasks_.find(task_uid);
  if (found == tasks_.end() || !found->second.addresses.contains(network_uid)) return;
  count_task(found->second, -1);
  found->second.addresses.erase(network_uid);
  if (found->second.addresses.empty())
    tasks_.erase(found);
  else
    count_task(found->second, 1);
  place(task_uid);
}

void PolicyTable::hold(const std::string& task_uid) {
  if (held_.insert(task_uid).second) place(task_uid);
}

void PolicyTable::release(const std::string& task_uid) {
  if (held_.erase(task_uid) > 0) place(task_uid);
}

// --- who is meant by which rule ---

void PolicyTable::count(const RuleKey& key, const std::string& address, int by) {
  auto& members = members_[key];
  const auto found = members.try_emplace(address, 0).first;
  found->second += by;
  if (found->second <= 0) members.erase(found);
  const auto groups = groups_of_policy_.find({key.policy, key.direction});
  if (groups == groups_of_policy_.end()) return;
  touched_groups_.insert(groups->second.begin(), groups->second.end());
}

void PolicyTable::count_task(const Task& task, int by) {
  for (const auto& [name, policy] : policies_)
    for (const auto direction : kDirections) {
      const auto& rules = core::rules_of(policy.spec(), direction);
      for (int i = 0; i < rules.size(); ++i) {
        const bool meant = std::ranges::any_of(rules[i].peers(), [&](const auto& peer) {
          return core::means_tasks(peer) && core::means(policy.stack(), peer, task.identity);
        });
        if (!meant) continue;
        for (const auto& [network, addresses] : task.addresses)
          for (const auto& address : addresses) count({name, direction, i}, address, by);
      }
    }
}

void PolicyTable::count_name(const std::string& name, const std::string& address, int by) {
  for (const auto& [policy_name, policy] : policies_) {
    const auto& rules = policy.spec().to();
    for (int i = 0; i < rules.size(); ++i) {
      const bool meant = std::ranges::any_of(
          rules[i].peers(), [&](const auto& peer) { return means_names(peer) && core::fits_host(peer.name(), name); });
      if (meant) count({policy_name, Direction::kEgress, i}, address, by);
    }
  }
}

// --- names ---

bool PolicyTable::asks_for(std::string_view name) const {
  const auto fits = [&](const v1::PolicyPeer& peer) { return means_names(peer) && core::fits_host(peer.name(), name); };
  return std::ranges::any_of(policies_, [&](const auto& entry) {
    return std::ranges::any_of(entry.second.spec().to(),
                               [&](const auto& rule) { return std::ranges::any_of(rule.peers(), fits); });
  });
}

void PolicyTable::learn(std::string_view name, const std::vector<std::string>& addresses, base::Duration ttl,
                        base::Time now) {
  if (!asks_for(name)) return;
  const auto plain = plain_name(name);
  const auto until = now + std::max(ttl, kLearnedLeast);
  for (const auto& text : addresses) {
    const auto address = core::parse_ip_address(text);
    if (!address || is_of_networks(*address)) continue;
    auto& known = names_[plain].addresses;
    const auto [entry, added] = known.try_emplace(address->text(), until);
    entry->second = std::max(entry->second, until);
    if (!added) continue;
    ++names_size_;
    count_name(plain, address->text(), 1);
    make_room();
  }
}

bool PolicyTable::is_of_networks(const core::IpAddress& address) const {
  return std::ranges::any_of(subnets_, [&](const auto& entry) {
    return std::ranges::any_of(entry.second, [&](const auto& subnet) { return subnet.contains(address); });
  });
}

void PolicyTable::forget(Names::iterator name, const std::string& address) {
  const std::string gone = address;  // it may lie in what is erased
  if (name->second.addresses.erase(gone) == 0) return;
  --names_size_;
  count_name(name->first, gone, -1);
  if (name->second.addresses.empty()) names_.erase(name);
}

// A name that is answered anew each time fills no memory: what ends first goes first.
void PolicyTable::make_room() {
  if (names_size_ <= kLearnedMax) return;
  auto soonest = names_.end();
  std::pair<std::string, base::Time> least;
  for (auto name = names_.begin(); name != names_.end(); ++name)
    for (const auto& [address, until] : name->second.addresses)
      if (soonest == names_.end() || until < least.second) {
        soonest = name;
        least = {address, until};
      }
  forget(soonest, least.first);
}

void PolicyTable::expire(base::Time now) {
  std::vector<std::pair<std::string, std::string>> gone;
  for (const auto& [name, learned] : names_)
    for (const auto& [address, until] : learned.addresses)
      if (until <= now) gone.emplace_back(name, address);
  for (const auto& [name, address] : gone) forget(names_.find(name), address);
}

std::optional<base::Time> PolicyTable::next_expiry() const {
  std::optional<base::Time> next;
  for (const auto& [name, learned] : names_)
    for (const auto& [address, until] : learned.addresses)
      if (!next || until < *next) next = until;
  return next;
}

// --- which policies a task here is under ---

void PolicyTable::leave_groups(const std::string& task_uid) {
  const auto found = groups_of_task_.find(task_uid);
  if (found == groups_of_task_.end()) return;
  for (const auto& name : {found->second.first, found->second.second}) {
    if (!name) continue;
    const auto group = groups_.find(*name);
    group->second.tasks.erase(task_uid);
    if (!group->second.tasks.empty()) continue;
    touched_groups_.insert(*name);
    for (const auto& policy : group->second.policies) groups_of_policy_[{policy, group->second.direction}].erase(*name);
    groups_.erase(group);
  }
  groups_of_task_.erase(found);
}

std::optional<std::string> PolicyTable::join_group(const std::string& task_uid, const Task& task, Direction direction) {
  std::vector<std::string> about;
  for (const auto& [name, policy] : policies_)
    if (core::holds_for(policy.spec(), direction) && core::is_about(policy.stack(), policy.spec(), task.identity))
      about.push_back(name);
  if (about.empty()) return std::nullopt;
  const auto name = group_name(direction, about);
  const auto [group, added] = groups_.try_emplace(name, Group{direction, about, {}});
  group->second.tasks.insert(task_uid);
  if (!added) return name;
  touched_groups_.insert(name);
  for (const auto& policy : about) groups_of_policy_[{policy, direction}].insert(name);
  return name;
}

void PolicyTable::place(const std::string& task_uid) {
  const auto task = tasks_.find(task_uid);
  touched_tasks_.insert(task_uid);
  leave_groups(task_uid);
  if (task == tasks_.end() || !held_.contains(task_uid)) return;
  auto ingress = join_group(task_uid, task->second, Direction::kIngress);
  auto egress = join_group(task_uid, task->second, Direction::kEgress);
  if (ingress || egress) groups_of_task_[task_uid] = {std::move(ingress), std::move(egress)};
}

// --- what is told ---

// None within another: nftables takes no ranges that overlap.
std::vector<std::string> PolicyTable::exceptions_of(const v1::PolicyPeer& peer) const {
  std::vector<core::IpRange> all;
  for (const auto& text : peer.except())
    if (const auto range = core::parse_ip_range(text)) all.push_back(*range);
  const auto whole = core::parse_ip_range(peer.address_range());
  for (const auto& [uid, subnets] : subnets_)
    for (const auto& subnet : subnets)
      if (whole && whole->overlaps(subnet)) all.push_back(subnet);
  std::ranges::sort(all, {}, [](const core::IpRange& range) { return std::pair(range.prefix, range.base); });
  std::vector<core::IpRange> apart;
  for (const auto& range : all)
    if (std::ranges::none_of(apart, [&](const auto& wider) { return wider.contains(range); })) apart.push_back(range);
  std::vector<std::string> out;
  for (const auto& range : apart) out.push_back(range.text());
  return out;
}

networks::PolicyGroup PolicyTable::content_of(const Group& group) const {
  networks::PolicyGroup out{.egress = group.direction == Direction::kEgress};
  for (const auto& name : group.policies) {
    const auto& rules = core::rules_of(policies_.at(name).spec(), group.direction);
    for (int i = 0; i < rules.size(); ++i) {
      const auto ports = ports_of(rules[i]);
      const auto& peers = rules[i].peers();
      if (peers.empty()) out.allows.push_back({.anybody = true, .ports = ports});
      if (std::ranges::any_of(peers, [](const auto& peer) { return peer.address_range().empty(); })) {
        networks::PolicyAllow allow{.ports = ports};
        if (const auto found = members_.find({name, group.direction, i}); found != members_.end())
          for (const auto& [address, times] : found->second) allow.addresses.push_back(address);
        out.allows.push_back(std::move(allow));
      }
      for (const auto& peer : peers)
        if (const auto range = core::parse_ip_range(peer.address_range()))
          out.allows.push_back({.ranges = {range->text()}, .except = exceptions_of(peer), .ports = ports});
    }
  }
  return out;
}

std::optional<networks::TaskPolicy> PolicyTable::task_policy(const std::string& task_uid) const {
  const auto groups = groups_of_task_.find(task_uid);
  if (groups == groups_of_task_.end()) return std::nullopt;
  networks::TaskPolicy out{
      .task_uid = task_uid, .addresses = {}, .ingress = groups->second.first, .egress = groups->second.second};
  for (const auto& [network, addresses] : tasks_.at(task_uid).addresses)
    out.addresses.insert(out.addresses.end(), addresses.begin(), addresses.end());
  return out;
}

bool PolicyTable::update() {
  bool differs = false;
  for (const auto& name : touched_groups_) {
    const auto group = groups_.find(name);
    differs |=
        put(result_.groups, name, group == groups_.end() ? std::nullopt : std::optional(content_of(group->second)));
  }
  for (const auto& uid : touched_tasks_) differs |= put(result_.tasks, uid, task_policy(uid));
  touched_groups_.clear();
  touched_tasks_.clear();
  return differs;
}

}  // namespace orchion::node::agent
