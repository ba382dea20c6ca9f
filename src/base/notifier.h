#pragma once

// "Something changed, look again": the one waiting primitive on which channels and controllers stand.

#include <memory>

#include "base/co.h"

namespace orchion::base {

// Wakes every waiter at each notify(). A notify without waiters is not remembered: waiters loop over their
// own condition. One executor; not thread-safe.
class Notifier {
 public:
  explicit Notifier(Executor executor);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Returns after the next notify(); kCancelled when the coroutine is cancelled or the notifier destroyed.
  Co<> wait();
  void notify();

  const Executor& executor() const { return executor_; }

 private:
  struct State;
  Executor executor_;
  std::shared_ptr<State> state_;
};

// Returns only by cancellation: for one side of an operator|| that has nothing more to do.
Co<> wait_for_ever();

}  // namespace orchion::base
