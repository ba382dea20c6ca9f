#include "control/services/peer_feed.h"

#include <algorithm>

#include <google/protobuf/util/message_differencer.h>

namespace orchion::control::services {

namespace {

v1::Peer peer_of(const v1::Node& node) {
  v1::Peer peer;
  peer.set_node_uid(node.meta().uid());
  peer.set_address(node.status().address());
  peer.set_host_address(node.status().host_address());
  if (node.status().has_mesh()) *peer.mutable_mesh() = node.status().mesh();
  return peer;
}

// Whether other nodes have to know.
bool matters(const store::ObjectChange& change) {
  return change.kind == "Node" && !is_same_peer(static_cast<const v1::Node*>(change.before.get()),
                                                static_cast<const v1::Node*>(change.after.get()));
}

}  // namespace

bool is_same_peer(const v1::Node* before, const v1::Node* after) {
  if (before == nullptr || after == nullptr) return before == after;
  return google::protobuf::util::MessageDifferencer::Equals(peer_of(*before), peer_of(*after));
}

void PeerFeed::tell_all(const store::View& view, v1::Assignments& out) const {
  auto& peers = *out.mutable_peers();
  peers.clear_peers();
  const auto own = view.nodes().find_uid(node_uid_);
  for (const auto& [name, node] : view.nodes().all()) {
    if (node->meta().uid() == node_uid_) continue;
    auto& peer = *peers.add_peers();
    peer = peer_of(*node);
    if (!own || !own->status().has_mesh()) peer.clear_mesh();
  }
}

void PeerFeed::tell_full(const store::View& view, bool needed, v1::Assignments& out) {
  tell_all(view, out);
  kept_up_ = needed;
}

void PeerFeed::tell_changes(const store::View& view, const store::ObjectStore::Commit& commit, bool needed,
                            v1::Assignments& out) {
  if (needed && (!kept_up_ || std::ranges::any_of(commit.changes, matters))) tell_all(view, out);
  kept_up_ = needed;
}

}  // namespace orchion::control::services
