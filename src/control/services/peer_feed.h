#pragma once

#include <string>

#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// What one session is told of the cluster's other nodes: all of them, again whenever how one is reached changes. No
// I/O.
class PeerFeed {
 public:
  explicit PeerFeed(std::string node_uid) : node_uid_(std::move(node_uid)) {}

  // Of a full set.
  void tell_all(const store::View& view, v1::Assignments& out);

  // Of what a commit changed.
  void tell_changes(const store::View& view, const store::ObjectStore::Commit& commit, v1::Assignments& out);

 private:
  const std::string node_uid_;
};

}  // namespace orchion::control::services
