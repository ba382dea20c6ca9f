#include "node/agent/policy_keeper.h"

#include <utility>

#include "base/log.h"

namespace orchion::node::agent {

namespace {

constexpr auto kRetryDelay = std::chrono::seconds(1);

}  // namespace

base::Co<> PolicyKeeper::enforce() {
  while (busy_) {
    const auto seen = changed_.count();
    CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
  }
  if (table_.update()) untold_ = true;
  if (!untold_) co_return base::Result<>{};
  const Busy turn(busy_, changed_);
  untold_ = false;
  auto policies = table_.result();
  auto done = co_await networks_.set_policies(std::move(policies));
  if (!done) untold_ = true;
  co_return done;
}

base::Co<> PolicyKeeper::enforce_again() {
  untold_ = true;
  co_return co_await enforce();
}

base::Co<> PolicyKeeper::learn(std::string name, std::vector<std::string> addresses, std::chrono::seconds ttl) {
  table_.learn(name, addresses, ttl, clock_.now());
  co_return co_await enforce();
}

base::Co<> PolicyKeeper::keep() {
  while (true) {
    const auto seen = changed_.count();
    table_.expire(clock_.now());
    auto done = co_await enforce();
    if (!done) {
      base::log::warn("network policies: {}", done.error().message);
      CO_RETURN_IF_ERROR(co_await clock_.sleep(kRetryDelay));
      continue;
    }
    const auto expiry = table_.next_expiry();
    if (!expiry) {
      CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
      continue;
    }
    CO_RETURN_IF_ERROR(co_await changed_.wait_until(clock_, *expiry, seen));
  }
}

}  // namespace orchion::node::agent
