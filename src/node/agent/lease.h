#pragma once

// For how long the control plane may rely on what runs here. Tasks that must never run twice are stopped when it
// ends: by then the control plane may have begun to count the node as lost, and a replacement comes only after.

#include <algorithm>

#include "base/clock.h"

namespace orchion::node::agent {

// One executor. A lease that was never renewed has ended.
class Lease {
 public:
  // The control plane answered what was asked at `asked`. Never brings the end forward.
  void renew(base::Time asked, base::Duration length) { ends_ = std::max(ends_, asked + length); }

  // By the monotonic clock, which all processes of one run of the machine share.
  base::Time ends() const { return ends_; }
  void restore(base::Time ends) { ends_ = ends; }

 private:
  base::Time ends_ = base::Time::min();
};

}  // namespace orchion::node::agent
