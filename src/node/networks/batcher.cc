#include "node/networks/batcher.h"

namespace orchion::node::networks {

Batcher::Batcher(base::Executor executor, base::WorkerPool& workers, std::function<base::Result<>()> job)
    : workers_(workers), state_(std::make_shared<State>(std::move(executor), std::move(job))) {}

base::Co<> Batcher::run() {
  const auto state = state_;
  const std::uint64_t wish = ++state->wanted;
  while (state->finished < wish) {
    if (!state->running) start();
    CO_RETURN_IF_ERROR(co_await state->changed.wait());
  }
  co_return state->result;
}

void Batcher::start() {
  state_->running = true;
  workers_.post([state = state_, covered = state_->wanted]() mutable {
    auto result = state->job();
    const base::Executor executor = state->changed.executor();
    // The state is touched and released on its executor only.
    base::post_to(executor, [state = std::move(state), covered, result = std::move(result)] {
      state->running = false;
      state->finished = covered;
      state->result = result;
      state->changed.notify();
    });
  });
}

}  // namespace orchion::node::networks
