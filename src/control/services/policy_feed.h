#pragma once

#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// All network policies of the cluster, in the order of their names.
v1::PolicyAssignments policies_of(const store::View& view);

// What one session is told of network policies: all of them, again whenever one changes. A node without a task needs
// none: it is told when its first one comes, in the same message. No I/O.
class PolicyFeed {
 public:
  // Of a full set.
  void tell_all(const store::View& view, v1::Assignments& out);

  // Of what a commit changed; `has_tasks`: the node, after it.
  void tell_changes(const store::View& view, const store::ObjectStore::Commit& commit, bool has_tasks,
                    v1::Assignments& out);

 private:
  bool untold_ = false;  // something changed since they were told
};

}  // namespace orchion::control::services
