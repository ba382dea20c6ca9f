#include "control/services/feed_index.h"

#include <algorithm>

#include "core/lifecycle.h"

namespace orchion::control::services {

namespace {

template <class T>
const T* of(const std::shared_ptr<const google::protobuf::Message>& object) {
  return static_cast<const T*>(object.get());
}

void enlist(std::set<std::uint64_t>& sessions, std::uint64_t session, bool belongs) {
  if (belongs) {
    sessions.insert(session);
  } else {
    sessions.erase(session);
  }
}

template <class Groups>
void leave(Groups& groups, const std::string& key, std::uint64_t session) {
  const auto group = groups.find(key);
  if (group == groups.end()) return;
  group->second.erase(session);
  if (group->second.empty()) groups.erase(group);
}

bool is_same_spec(const v1::Task& before, const v1::Task& after) {
  return before.meta().uid() == after.meta().uid() && before.meta().revision() == after.meta().revision();
}

}  // namespace

void FeedIndex::put(std::uint64_t session, const AssignmentFeed& feed, const store::View& view) {
  auto& entry = sessions_[session];
  if (entry.node_uid.empty()) {
    entry.node_uid = feed.node_uid();
    by_node_[entry.node_uid].insert(session);
  }
  if (entry.networks != feed.networks()) {
    for (const auto& uid : entry.networks) leave(by_network_, uid, session);
    entry.networks = feed.networks();
    for (const auto& uid : entry.networks) by_network_[uid].insert(session);
  }
  enlist(with_peers_, session, feed.needs_peers());
  enlist(with_routes_, session, feed.has_routes(view));
}

void FeedIndex::erase(std::uint64_t session) {
  const auto entry = sessions_.find(session);
  if (entry == sessions_.end()) return;
  leave(by_node_, entry->second.node_uid, session);
  for (const auto& uid : entry->second.networks) leave(by_network_, uid, session);
  with_peers_.erase(session);
  with_routes_.erase(session);
  sessions_.erase(entry);
}

std::vector<std::uint64_t> FeedIndex::concerned_by(const store::View& view,
                                                   const store::ObjectStore::Commit& commit) const {
  Sessions found;
  for (const auto& change : commit.changes) {
    if (change.kind == "Task") {
      add_of(of<v1::Task>(change.before), of<v1::Task>(change.after), found);
    } else if (change.kind == "Node") {
      add_of(of<v1::Node>(change.before), of<v1::Node>(change.after), found);
    } else if (change.kind == "Service") {
      add_of(view, of<v1::Service>(change.before), of<v1::Service>(change.after), found);
    } else if (change.kind == "Network") {
      add_of(*of<v1::Network>(change.after ? change.after : change.before), found);
    } else if (change.kind == "Volume" && change.after) {
      add_node(of<v1::Volume>(change.after)->status().node_uid(), found);
    } else if (change.kind == "NetworkPolicy") {
      add_all(found);
    }
  }
  return {found.begin(), found.end()};
}

void FeedIndex::add_of(const v1::Task* before, const v1::Task* after, Sessions& found) const {
  const bool both = before != nullptr && after != nullptr;
  const bool is_step = both && is_same_spec(*before, *after);
  if (!is_step)
    for (const auto* task : {before, after})
      if (task != nullptr) add_node(task->spec().assignment().node_uid(), found);
  const bool is_met_alike =
      is_step && is_reachable(*before) == is_reachable(*after) && is_in_networks(*before) == is_in_networks(*after);
  if (is_met_alike) return;
  const auto& assignment = (after != nullptr ? after : before)->spec().assignment();
  for (const auto& address : assignment.addresses()) add_network(address.network_uid(), found);
  if (std::ranges::any_of(assignment.ports(), is_for_all_nodes)) add_all(found);
}

void FeedIndex::add_of(const v1::Node* before, const v1::Node* after, Sessions& found) const {
  add_node((after != nullptr ? after : before)->meta().uid(), found);
  if (is_same_peer(before, after)) return;
  found.insert(with_peers_.begin(), with_peers_.end());
}

// Who reaches its tasks knows its labels and its virtual addresses.
void FeedIndex::add_of(const store::View& view, const v1::Service* before, const v1::Service* after,
                       Sessions& found) const {
  found.insert(with_routes_.begin(), with_routes_.end());
  if (before == nullptr || after == nullptr || !is_known_otherwise(*before, *after)) return;
  std::set<std::string> networks;
  for (const auto& task : view.tasks_of_service(after->meta().stack(), after->meta().name()))
    for (const auto& address : task->spec().assignment().addresses()) networks.insert(address.network_uid());
  for (const auto& uid : networks) add_network(uid, found);
}

void FeedIndex::add_of(const v1::Network& network, Sessions& found) const {
  if (core::is_deleted(network.meta())) return add_all(found);  // also those that have left it are asked
  add_network(network.meta().uid(), found);
  found.insert(with_routes_.begin(), with_routes_.end());
}

void FeedIndex::add_node(const std::string& uid, Sessions& found) const {
  const auto sessions = by_node_.find(uid);
  if (sessions != by_node_.end()) found.insert(sessions->second.begin(), sessions->second.end());
}

void FeedIndex::add_network(const std::string& uid, Sessions& found) const {
  const auto sessions = by_network_.find(uid);
  if (sessions != by_network_.end()) found.insert(sessions->second.begin(), sessions->second.end());
}

void FeedIndex::add_all(Sessions& found) const {
  for (const auto& [session, entry] : sessions_) found.insert(session);
}

}  // namespace orchion::control::services
