#pragma once

// The owner of background coroutines: nothing runs that nobody waits for.

#include <memory>
#include <string>

#include "base/co.h"

namespace orchion::base {

// Coroutines spawned here run until they return or until shutdown() cancels them. One executor; not
// thread-safe. Destroy it only after shutdown() has returned or while it is empty (asserted).
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // `name` is for the log: a coroutine that ends with an error other than kCancelled, or throws, is logged.
  void spawn(std::string name, Co<> coroutine);

  // Cancels all and returns when the last has ended. Nothing can be spawned afterwards.
  Co<> shutdown();

  std::size_t size() const;
  const Executor& executor() const { return executor_; }

 private:
  struct State;
  Executor executor_;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::base
