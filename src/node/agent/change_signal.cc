#include "node/agent/change_signal.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace orchion::node::agent {

base::Co<> ChangeSignal::wait(std::uint64_t seen) {
  while (count_ == seen) CO_RETURN_IF_ERROR(co_await notifier_.wait());
  co_return base::Result<>{};
}

base::Co<> ChangeSignal::wait_until(base::Clock& clock, base::Time deadline, std::uint64_t seen) {
  if (deadline == base::Time::max()) co_return co_await wait(seen);
  if (count_ != seen || clock.now() >= deadline) co_return base::Result<>{};
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (wait(seen) || clock.sleep_until(deadline));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
