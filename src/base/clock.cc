#include "base/clock.h"

#include <map>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/notifier.h"

namespace orchion::base {

Time SystemClock::now() const {
  return std::chrono::steady_clock::now();
}

WallTime SystemClock::wall() const {
  return std::chrono::system_clock::now();
}

Co<> SystemClock::sleep_until(Time deadline) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, deadline);
  auto [error] = co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (error) co_return fail(Code::kCancelled, "cancelled while sleeping");
  co_return Result<>{};
}

struct ManualClock::Sleepers {
  std::multimap<Time, Notifier*> by_deadline;
};

ManualClock::ManualClock() : sleepers_(std::make_unique<Sleepers>()), now_(std::chrono::hours(1)) {}

ManualClock::~ManualClock() = default;

Time ManualClock::now() const {
  return now_;
}

// A fixed epoch, so that records made under a ManualClock are the same in every run: 2026-01-01T00:00:00Z.
WallTime ManualClock::wall() const {
  return WallTime(std::chrono::seconds(1767225600)) + now_.time_since_epoch();
}

Co<> ManualClock::sleep_until(Time deadline) {
  auto executor = co_await boost::asio::this_coro::executor;
  if (deadline <= now_) co_return Result<>{};
  Notifier wake(executor);
  struct Registration {
    std::multimap<Time, Notifier*>& sleepers;
    std::multimap<Time, Notifier*>::iterator it;
    ~Registration() { sleepers.erase(it); }
  };
  Registration registration{sleepers_->by_deadline, sleepers_->by_deadline.emplace(deadline, &wake)};
  while (now_ < deadline) CO_RETURN_IF_ERROR(co_await wake.wait());
  co_return Result<>{};
}

void ManualClock::advance(Duration duration) {
  now_ += duration;
  for (auto& [deadline, notifier] : sleepers_->by_deadline) {
    if (deadline > now_) break;
    notifier->notify();
  }
}

Time ManualClock::next_deadline() const {
  return sleepers_->by_deadline.empty() ? Time::max() : sleepers_->by_deadline.begin()->first;
}

}  // namespace orchion::base
