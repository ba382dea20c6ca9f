#include "mesh/dns/records.h"

#include <algorithm>
#include <utility>

namespace orchion::mesh::dns {
namespace {

constexpr std::string_view kDomain = "orchion.internal";
constexpr std::string_view kHostName = "host.docker.internal";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Takes ".orchion.internal" off the end; false where it isn't there.
bool strip_domain(std::string& name) {
  if (!name.ends_with(kDomain) || name.size() <= kDomain.size()) return false;
  const std::size_t dot = name.size() - kDomain.size() - 1;
  if (name[dot] != '.') return false;
  name.resize(dot);
  return true;
}

// The names under which a record is found. Those that hold in every stack are written as they are asked for; those
// that only the networks' members know begin with "@".
std::vector<std::string> index_names(const Record& record) {
  const std::string full = lower(record.service + "." + record.stack);
  std::vector<std::string> names = {full, "tasks." + full, std::to_string(record.slot) + "." + full,
                                    "@" + lower(record.service)};
  for (const auto& alias : record.aliases) names.push_back("@" + lower(alias));
  return names;
}

template <class Index, class Key>
void forget(Index& index, const std::string& at, const Key& key) {
  const auto found = index.find(at);
  if (found == index.end()) return;
  found->second.erase(key);
  if (found->second.empty()) index.erase(found);
}

}  // namespace

void RecordTable::put(Record record) {
  remove(record.task_uid, record.network_uid);
  const Key key{record.task_uid, record.network_uid};
  for (auto& name : index_names(record)) names_[std::move(name)].insert(key);
  addresses_[record.address].insert(key);
  records_.insert_or_assign(key, std::move(record));
}

void RecordTable::remove(const std::string& task_uid, const std::string& network_uid) {
  const Key key{task_uid, network_uid};
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  for (const auto& name : index_names(found->second)) forget(names_, name, key);
  forget(addresses_, found->second.address, key);
  records_.erase(found);
}

void RecordTable::clear() {
  records_.clear();
  names_.clear();
  addresses_.clear();
  locals_.clear();
  local_networks_.clear();
  gateways_.clear();
}

void RecordTable::put_local(std::string task_uid, std::string network_uid, std::string address, std::string stack) {
  std::erase_if(locals_, [&](const auto& entry) {
    return entry.second.task_uid == task_uid && entry.second.network_uid == network_uid;
  });
  local_networks_[task_uid].insert(network_uid);
  locals_.emplace(std::move(address), Local{std::move(task_uid), std::move(network_uid), lower(stack)});
}

void RecordTable::remove_local(const std::string& task_uid) {
  std::erase_if(locals_, [&](const auto& entry) { return entry.second.task_uid == task_uid; });
  local_networks_.erase(task_uid);
}

void RecordTable::put_network(std::string network_uid, std::string gateway) {
  gateways_.insert_or_assign(std::move(network_uid), std::move(gateway));
}

void RecordTable::remove_network(const std::string& network_uid) {
  gateways_.erase(network_uid);
}

bool RecordTable::knows(std::string_view asker_address) const {
  return locals_.find(asker_address) != locals_.end();
}

std::optional<RecordTable::Asker> RecordTable::asker_at(std::string_view address) const {
  const auto found = locals_.find(address);
  if (found == locals_.end()) return std::nullopt;
  const Local& local = found->second;
  Asker asker{.networks = {}, .network_uid = local.network_uid, .stack = local.stack};
  const auto& networks = local_networks_.at(local.task_uid);
  asker.networks.insert(networks.begin(), networks.end());
  return asker;
}

std::vector<std::string> RecordTable::addresses(const Asker& asker, std::string_view indexed_name) const {
  std::vector<std::string> found;
  const auto keys = names_.find(indexed_name);
  if (keys == names_.end()) return found;
  for (const auto& key : keys->second) {
    if (asker.networks.contains(key.second)) found.push_back(records_.at(key).address);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

Answer RecordTable::find(std::string_view asker_address, std::string_view name) const {
  const auto asker = asker_at(asker_address);
  if (!asker) return {};
  std::string wanted = lower(name);
  if (wanted == kHostName) {
    const auto gateway = gateways_.find(asker->network_uid);
    if (gateway == gateways_.end()) return {.authoritative = true};
    return {.authoritative = true, .exists = true, .addresses = {gateway->second}};
  }
  if (wanted == kDomain) return {.authoritative = true, .exists = true};
  const bool ours = strip_domain(wanted);
  std::vector<std::string> tried = {wanted};
  if (!ours) tried = {wanted + "." + asker->stack, "@" + wanted, wanted};
  for (const auto& indexed_name : tried) {
    auto found = addresses(*asker, indexed_name);
    if (!found.empty()) return {.authoritative = true, .exists = true, .addresses = std::move(found)};
  }
  return {.authoritative = ours || wanted.find('.') == std::string::npos};
}

std::optional<std::string> RecordTable::reverse(std::string_view asker_address, std::string_view address) const {
  const auto asker = asker_at(asker_address);
  const auto keys = addresses_.find(address);
  if (!asker || keys == addresses_.end()) return std::nullopt;
  for (const auto& key : keys->second) {
    if (!asker->networks.contains(key.second)) continue;
    const Record& record = records_.at(key);
    return std::to_string(record.slot) + "." + lower(record.service + "." + record.stack) + "." + std::string(kDomain);
  }
  return std::nullopt;
}

}  // namespace orchion::mesh::dns
