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
  return peer;
}

// Whether other nodes have to know.
bool matters(const store::ObjectChange& change) {
  if (change.kind != "Node") return false;
  if (!change.before || !change.after) return true;
  return !google::protobuf::util::MessageDifferencer::Equals(peer_of(static_cast<const v1::Node&>(*change.before)),
                                                             peer_of(static_cast<const v1::Node&>(*change.after)));
}

}  // namespace

void PeerFeed::tell_all(const store::View& view, v1::Assignments& out) {
  auto& peers = *out.mutable_peers();
  peers.clear_peers();
  for (const auto& [name, node] : view.nodes().all())
    if (node->meta().uid() != node_uid_) *peers.add_peers() = peer_of(*node);
}

void PeerFeed::tell_changes(const store::View& view, const store::ObjectStore::Commit& commit, v1::Assignments& out) {
  if (std::ranges::any_of(commit.changes, matters)) tell_all(view, out);
}

}  // namespace orchion::control::services
