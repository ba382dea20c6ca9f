#pragma once

#include <string>

#include "control/services/context.h"
#include "v1/objects.pb.h"
#include "v1/specs.pb.h"

namespace orchion::control::services {

// The service as the stack controller made it from `stack`, which was written and names it. Waits until it stands, for
// some seconds at the most.
base::Co<v1::Service> standing_service(ServiceContext context, v1::Stack stack, std::string name);

// What would stand, for a dry run.
v1::Service imagined_service(const store::View& view, const std::string& stack, const v1::NamedService& named);

// Attempts again where somebody else wrote the stack at the same time, for another part of it say; each attempt looks
// at If-Match anew. `Attempt` returns a Co<T>.
template <class T, class Attempt>
base::Co<T> insist(Attempt attempt) {
  constexpr int kAttemptsMax = 10;
  for (int n = 1;; ++n) {
    auto done = co_await attempt();
    if (done || done.error().code != base::Code::kAborted || n == kAttemptsMax) co_return done;
  }
}

}  // namespace orchion::control::services
