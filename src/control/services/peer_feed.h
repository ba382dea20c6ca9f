#pragma once

#include <string>

#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// Whether the other nodes reach it as before; null: it isn't there.
bool is_same_peer(const v1::Node* before, const v1::Node* after);

// What one session is told of the cluster's other nodes: all of them, again whenever how one is reached changes and
// while it matters. No I/O.
class PeerFeed {
 public:
  explicit PeerFeed(std::string node_uid) : node_uid_(std::move(node_uid)) {}

  // `needed`: this node sends packets to others. Where it doesn't, thousands may come and go without a word.

  // Of a full set, which has them always.
  void tell_full(const store::View& view, bool needed, v1::Assignments& out);

  // Of what a commit changed; all, where they are needed from now on.
  void tell_changes(const store::View& view, const store::ObjectStore::Commit& commit, bool needed,
                    v1::Assignments& out);

 private:
  void tell_all(const store::View& view, v1::Assignments& out) const;

  const std::string node_uid_;
  bool kept_up_ = false;  // what was told last holds
};

}  // namespace orchion::control::services
