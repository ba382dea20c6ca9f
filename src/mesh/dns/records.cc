#include "mesh/dns/records.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

namespace orchion::mesh::dns {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view kHostName = "host.docker.internal";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string full_name(const Record& record) {
  return lower(record.service + "." + record.stack);
}

std::string task_name(const Record& record) {
  return std::to_string(record.slot) + "." + full_name(record);
}

std::string with_domain(const std::string& name) {
  return name + "." + std::string(kDomain);
}

// What can't be read is nobody's address.
std::optional<Address> to_address(const std::string& text) {
  boost::system::error_code bad;
  const Address address = ip::make_address(text, bad);
  return bad || text.empty() ? std::nullopt : std::optional(address);
}

void push_address(std::vector<Address>& to, const std::string& text) {
  if (const auto address = to_address(text)) to.push_back(*address);
}

std::vector<Address> own_addresses(const Record& record) {
  std::vector<Address> addresses;
  push_address(addresses, record.address);
  push_address(addresses, record.address6);
  return addresses;
}

std::vector<Address> service_addresses(const Record& record) {
  if (record.of_run) return own_addresses(record);
  std::vector<Address> addresses;
  push_address(addresses, record.virtual_address.empty() ? record.address : record.virtual_address);
  push_address(addresses, record.virtual_address6.empty() ? record.address6 : record.virtual_address6);
  return addresses;
}

bool contains(const std::string& subnet, const Address& address) {
  boost::system::error_code bad;
  if (address.is_v4()) {
    const auto range = ip::make_network_v4(subnet, bad);
    return !bad && ip::network_v4(address.to_v4(), range.prefix_length()).canonical() == range.canonical();
  }
  const auto range = ip::make_network_v6(subnet, bad);
  return !bad && ip::network_v6(address.to_v6(), range.prefix_length()).canonical() == range.canonical();
}

// "_8080._tcp.web": its parts.
struct PortName {
  std::uint16_t port = 0;  // 0: the port has a name
  std::string_view rest;
};

std::optional<PortName> split_port_name(std::string_view name) {
  const auto dot = name.find('.');
  if (!name.starts_with('_') || dot == std::string_view::npos) return std::nullopt;
  const std::string_view transport = name.substr(dot + 1, 5);
  if (transport != "_tcp." && transport != "_udp.") return std::nullopt;
  PortName found{.port = 0, .rest = name.substr(dot + 6)};
  const auto [end, bad] = std::from_chars(name.data() + 1, name.data() + dot, found.port);
  if (bad != std::errc() || end != name.data() + dot) found.port = 0;
  return found;
}

void sort_uniquely(std::vector<Address>& addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
}

}  // namespace

bool in_domain(std::string_view name) {
  if (!name.ends_with(kDomain)) return false;
  return name.size() == kDomain.size() || name[name.size() - kDomain.size() - 1] == '.';
}

std::vector<RecordTable::Name> RecordTable::names_of(const Record& record) {
  const std::string full = full_name(record);
  std::vector<Name> names = {{&RecordTable::in_stack_, full, false},
                             {&RecordTable::in_stack_, "tasks." + full, true},
                             {&RecordTable::in_stack_, task_name(record), true},
                             {&RecordTable::in_network_, lower(record.service), false}};
  std::set<std::string> aliases;
  for (const auto& alias : record.aliases) aliases.insert(lower(alias));
  aliases.erase(lower(record.service));
  for (const auto& alias : aliases) {
    names.push_back({&RecordTable::in_network_, alias, false});
    if (alias.find('.') == std::string::npos)
      names.push_back({&RecordTable::alias_in_stack_, alias + "." + lower(record.stack), false});
  }
  return names;
}

void RecordTable::add(Index& index, const Name& name, const Entry& entry) {
  auto& groups = index[name.text];
  auto group = std::find_if(groups.begin(), groups.end(),
                            [&](const Group& each) { return each.network_uid == entry.record.network_uid; });
  if (group == groups.end()) group = groups.insert(groups.end(), {entry.record.network_uid, {}, {}});
  group->entries.push_back(&entry);
  for (const auto& address : name.leads_to_task ? entry.own : entry.of_service) {
    const auto at =
        std::lower_bound(group->addresses.begin(), group->addresses.end(), std::pair(address, std::size_t{}));
    if (at != group->addresses.end() && at->first == address) {
      ++at->second;
    } else {
      group->addresses.emplace(at, address, 1);
    }
  }
}

void RecordTable::take(Index& index, const Name& name, const Entry& entry) {
  const auto found = index.find(name.text);
  const auto group = std::find_if(found->second.begin(), found->second.end(),
                                  [&](const Group& each) { return each.network_uid == entry.record.network_uid; });
  std::erase(group->entries, &entry);
  for (const auto& address : name.leads_to_task ? entry.own : entry.of_service) {
    const auto at =
        std::lower_bound(group->addresses.begin(), group->addresses.end(), std::pair(address, std::size_t{}));
    if (--at->second == 0) group->addresses.erase(at);
  }
  if (group->entries.empty()) found->second.erase(group);
  if (found->second.empty()) index.erase(found);
}

void RecordTable::put(Record record) {
  remove(record.task_uid, record.network_uid);
  const Key key{record.task_uid, record.network_uid};
  Entry made{record, own_addresses(record), service_addresses(record)};
  const Entry& entry = records_.insert_or_assign(key, std::move(made)).first->second;
  for (const auto& name : names_of(entry.record)) add(this->*name.index, name, entry);
  for (const auto& address : entry.own) addresses_[address].insert(key);
  for (const auto& address : entry.of_service) addresses_[address].insert(key);
}

void RecordTable::remove(const std::string& task_uid, const std::string& network_uid) {
  const Key key{task_uid, network_uid};
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  const Entry& entry = found->second;
  for (const auto& name : names_of(entry.record)) take(this->*name.index, name, entry);
  for (const auto* addresses : {&entry.own, &entry.of_service}) {
    for (const auto& address : *addresses) {
      const auto keys = addresses_.find(address);
      if (keys == addresses_.end()) continue;
      keys->second.erase(key);
      if (keys->second.empty()) addresses_.erase(keys);
    }
  }
  records_.erase(found);
}

void RecordTable::clear() {
  in_stack_.clear();
  alias_in_stack_.clear();
  in_network_.clear();
  addresses_.clear();
  records_.clear();
  askers_.clear();
  locals_.clear();
  networks_.clear();
}

void RecordTable::put_local(LocalTask local) {
  for (auto& [address, askers] : askers_) {
    std::erase_if(askers, [&](const Asker& each) {
      return each.task_uid == local.task_uid && each.network_uid == local.network_uid;
    });
  }
  std::erase_if(askers_, [](const auto& entry) { return entry.second.empty(); });
  auto& task = locals_[local.task_uid];
  task.stack = lower(local.stack);
  task.networks.insert(local.network_uid);
  for (const auto* text : {&local.address, &local.address6}) {
    if (const auto address = to_address(*text)) askers_[*address].push_back({local.task_uid, local.network_uid, &task});
  }
}

void RecordTable::remove_local(const std::string& task_uid) {
  for (auto& [address, askers] : askers_)
    std::erase_if(askers, [&](const Asker& each) { return each.task_uid == task_uid; });
  std::erase_if(askers_, [](const auto& entry) { return entry.second.empty(); });
  locals_.erase(task_uid);
}

void RecordTable::put_network(std::string network_uid, NetworkRange range) {
  networks_.insert_or_assign(std::move(network_uid), std::move(range));
}

void RecordTable::remove_network(const std::string& network_uid) {
  networks_.erase(network_uid);
}

const RecordTable::Asker* RecordTable::asker_at(const Address& address) const {
  const auto found = askers_.find(address);
  return found == askers_.end() ? nullptr : &found->second.back();
}

RecordTable::Found RecordTable::lookup(const Asker& asker, std::string_view name) const {
  Found found;
  const auto look = [&](const Index& index, std::string_view text) {
    const auto groups = index.find(text);
    if (groups == index.end()) return false;
    for (const auto& group : groups->second) {
      if (asker.task->networks.contains(group.network_uid)) found.groups.push_back(&group);
    }
    return !found.groups.empty();
  };
  found.authoritative = true;
  if (in_domain(name) && name != kDomain) {
    name.remove_suffix(kDomain.size() + 1);
    if (!look(in_stack_, name)) look(alias_in_stack_, name);
    return found;
  }
  // No name in a question has more than 255 bytes.
  std::array<char, 512> own_stack{};
  const std::string& stack = asker.task->stack;
  const std::size_t size = name.size() + 1 + stack.size();
  if (size <= own_stack.size()) {
    char* end = std::copy(name.begin(), name.end(), own_stack.begin());
    *end++ = '.';
    std::copy(stack.begin(), stack.end(), end);
    if (look(in_stack_, {own_stack.data(), size})) return found;
  }
  if (look(in_network_, name) || look(in_stack_, name) || look(alias_in_stack_, name)) return found;
  found.authoritative = name.find('.') == std::string_view::npos;
  return found;
}

Answer RecordTable::find_host(const Asker& asker) const {
  Answer answer{.authoritative = true, .exists = false, .addresses = {}};
  const auto network = networks_.find(asker.network_uid);
  if (network == networks_.end()) return answer;
  push_address(answer.addresses, network->second.gateway);
  push_address(answer.addresses, network->second.gateway6);
  answer.exists = !answer.addresses.empty();
  return answer;
}

Answer RecordTable::find(const Address& asker_address, std::string_view name) const {
  const Asker* asker = asker_at(asker_address);
  if (asker == nullptr) return {};
  if (name == kHostName) return find_host(*asker);
  if (name == kDomain) return {.authoritative = true, .exists = true, .addresses = {}};
  if (split_port_name(name)) {
    const auto behind = find_services(asker_address, name);
    return {.authoritative = behind.authoritative, .exists = behind.exists, .addresses = {}};
  }
  const Found found = lookup(*asker, name);
  Answer answer{.authoritative = found.authoritative, .exists = !found.groups.empty(), .addresses = {}};
  for (const Group* group : found.groups) {
    for (const auto& [address, entries] : group->addresses) answer.addresses.push_back(address);
  }
  if (found.groups.size() > 1) sort_uniquely(answer.addresses);
  return answer;
}

ServiceAnswer RecordTable::find_services(const Address& asker_address, std::string_view name) const {
  const Asker* asker = asker_at(asker_address);
  if (asker == nullptr) return {};
  const auto port_name = split_port_name(name);
  const Found found = lookup(*asker, port_name ? port_name->rest : name);
  ServiceAnswer answer{.authoritative = found.authoritative, .exists = !found.groups.empty(), .targets = {}};
  if (port_name && port_name->port == 0) answer.exists = false;
  if (!answer.exists || !port_name) return answer;
  std::map<std::string, std::vector<Address>> targets;  // by name
  for (const Group* group : found.groups) {
    for (const Entry* entry : group->entries) {
      auto& addresses = targets[with_domain(task_name(entry->record))];
      addresses.insert(addresses.end(), entry->own.begin(), entry->own.end());
    }
  }
  for (auto& [task, addresses] : targets) {
    sort_uniquely(addresses);
    answer.targets.push_back({task, port_name->port, std::move(addresses)});
  }
  return answer;
}

std::string RecordTable::name_at(const Entry& entry, const Address& address) const {
  const bool of_task = std::find(entry.own.begin(), entry.own.end(), address) != entry.own.end();
  return with_domain(of_task ? task_name(entry.record) : full_name(entry.record));
}

bool RecordTable::in_subnet(const Address& address) const {
  return std::any_of(networks_.begin(), networks_.end(), [&](const auto& network) {
    return contains(address.is_v4() ? network.second.subnet : network.second.subnet6, address);
  });
}

ReverseAnswer RecordTable::reverse(const Address& asker_address, const Address& address) const {
  const Asker* asker = asker_at(asker_address);
  if (asker == nullptr) return {};
  if (const auto keys = addresses_.find(address); keys != addresses_.end()) {
    for (const auto& key : keys->second) {
      if (asker->task->networks.contains(key.second)) return {true, name_at(records_.at(key), address)};
    }
  }
  for (const auto& uid : asker->task->networks) {
    const auto network = networks_.find(uid);
    if (network == networks_.end()) continue;
    for (const auto* gateway : {&network->second.gateway, &network->second.gateway6}) {
      if (to_address(*gateway) == address) return {true, std::string(kHostName)};
    }
  }
  return {in_subnet(address), {}};
}

}  // namespace orchion::mesh::dns
