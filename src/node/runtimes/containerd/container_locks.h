#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/notifier.h"

namespace orchion::node::runtimes::containerd {

// One holder per container. One executor; what is held may outlive this.
class ContainerLocks {
 public:
  explicit ContainerLocks(base::Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

  using Held = std::shared_ptr<void>;  // released with the last copy

  base::Co<Held> take(std::string id) { return take_from(state_, std::move(id)); }

 private:
  struct State {
    explicit State(base::Executor executor) : released(std::move(executor)) {}
    base::Notifier released;
    std::set<std::string> held;
  };
  struct Release {
    std::shared_ptr<State> state;
    std::string id;
    ~Release() {
      state->held.erase(id);
      state->released.notify();
    }
  };

  static base::Co<Held> take_from(std::shared_ptr<State> state, std::string id) {
    while (state->held.contains(id)) CO_RETURN_IF_ERROR(co_await state->released.wait());
    state->held.insert(id);
    co_return Held(std::shared_ptr<Release>(new Release{state, id}));
  }

  std::shared_ptr<State> state_;
};

}  // namespace orchion::node::runtimes::containerd
