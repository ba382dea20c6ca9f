#include "base/notifier.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace orchion::base {

// A timer that never expires on its own; cancelling it completes every wait on it. `rounds` tells a wake-up
// by notify() from a cancellation of the waiting coroutine.
struct Notifier::State {
  explicit State(const Executor& executor) : timer(executor, boost::asio::steady_timer::time_point::max()) {}
  boost::asio::steady_timer timer;
  std::uint64_t rounds = 0;
};

Notifier::Notifier(Executor executor) : executor_(executor), state_(std::make_shared<State>(executor)) {}

Notifier::~Notifier() {
  state_->timer.cancel();
}

Co<> Notifier::wait() {
  auto state = state_;
  const auto round = state->rounds;
  co_await state->timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (state->rounds == round) co_return fail(Code::kCancelled, "cancelled while waiting");
  co_return Result<>{};
}

void Notifier::notify() {
  ++state_->rounds;
  state_->timer.cancel();
}

Co<> wait_for_ever() {
  Notifier never(co_await boost::asio::this_coro::executor);
  co_return co_await never.wait();
}

}  // namespace orchion::base
