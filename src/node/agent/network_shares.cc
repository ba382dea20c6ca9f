#include "node/agent/network_shares.h"

namespace orchion::node::agent {

void NetworkShares::set_network(const std::string& owner, Network network) {
  auto& entry = owners_[owner];
  const bool is_news = entry.network != network;
  entry.network = network;
  drop_if_empty(owner);
  if (is_news) tell(owner);
}

NetworkShares::Network NetworkShares::network_of(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? Network::kAbsent : found->second.network;
}

void NetworkShares::enter(const std::string& owner, const std::string& sharer) {
  sharers_[sharer] = owner;
  owners_[owner].sharers.insert(sharer);
}

void NetworkShares::leave(const std::string& sharer) {
  const auto found = sharers_.extract(sharer);
  if (!found) return;
  const auto& owner = found.mapped();
  owners_[owner].sharers.erase(sharer);
  drop_if_empty(owner);
  tell(owner);
}

bool NetworkShares::is_shared(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found != owners_.end() && !found->second.sharers.empty();
}

void NetworkShares::tell(const std::string& task_uid) const {
  if (changed_) changed_(task_uid);
}

void NetworkShares::drop_if_empty(const std::string& owner) {
  const auto found = owners_.find(owner);
  if (found->second.network == Network::kAbsent && found->second.sharers.empty()) owners_.erase(found);
}

}  // namespace orchion::node::agent
