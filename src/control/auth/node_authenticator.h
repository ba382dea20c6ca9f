#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/auth/permissions.h"
#include "control/store/object_store.h"

namespace orchion::control::auth {

// Certificates of nodes and of other servers: whose they are, and whether that node still belongs to the cluster.
// Belongs to the control loop. `objects` outlives it.
class NodeAuthenticator {
 public:
  NodeAuthenticator(const store::ObjectStore& objects, std::string cluster_id)
      : objects_(objects), cluster_id_(std::move(cluster_id)) {}

  // `certificate` (PEM) was vouched for by the cluster's authority already. The identity's name is node_identity() of
  // the node's uid. kNotFound: that node was removed, and its agent acts on it; kUnauthenticated: it names no node
  // that is known, or one that has another key.
  base::Result<Identity> authenticate(std::string_view certificate) const;

 private:
  // As far back as there are events.
  bool was_removed(const std::string& uid) const;

  const store::ObjectStore& objects_;
  std::string cluster_id_;
};

}  // namespace orchion::control::auth
