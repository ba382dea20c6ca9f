#pragma once

// What may follow what in a session. Pure.

#include <optional>

#include "base/error.h"
#include "v1/dispatcher.pb.h"

namespace orchion::node::agent {

class SessionOrder {
 public:
  // kAborted where `message` can't come here: a sequence number is missing, a delta has nothing to change. Then only
  // a new session helps.
  base::Result<> check(const v1::ToAgent& message);

 private:
  base::Result<> check_assignments(const v1::Assignments& assignments);

  bool welcomed_ = false;
  std::optional<std::uint64_t> sequence_;
};

// Whether the control plane must hear of it. What always moves (free memory, free disk) counts from a twentieth of
// the whole.
bool differs_enough(const v1::NodeCapabilities& before, const v1::NodeCapabilities& after);

}  // namespace orchion::node::agent
