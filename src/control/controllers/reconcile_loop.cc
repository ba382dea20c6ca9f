#include "control/controllers/reconcile_loop.h"

#include <fmt/core.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"

namespace orchion::control::controllers {

namespace {

constexpr base::BackoffOptions kBackoff{.first = std::chrono::milliseconds(5), .longest = std::chrono::seconds(30)};

}  // namespace

ReconcileLoop::ReconcileLoop(base::Executor executor, base::Clock& clock, base::Random random, std::string name,
                             Step step)
    : clock_(clock),
      random_(random),
      name_(std::move(name)),
      step_(std::move(step)),
      queued_(executor),
      group_(executor) {}

void ReconcileLoop::enqueue(const Key& key) {
  if (queue_.insert(key).second) queued_.notify();
}

void ReconcileLoop::enqueue_at(const Key& key, base::Time when) {
  const auto found = delayed_.find(key);
  if (found != delayed_.end() && found->second <= when) return;
  delayed_[key] = when;
  group_.spawn(name_ + " timer", wake_later(key, when));
}

void ReconcileLoop::start(int workers) {
  for (int i = 0; i < workers; ++i) group_.spawn(name_, work());
}

base::Co<> ReconcileLoop::shutdown() {
  return group_.shutdown();
}

// An earlier time may have been set meanwhile: only the one that is still wanted counts.
base::Co<> ReconcileLoop::wake_later(Key key, base::Time when) {
  CO_RETURN_IF_ERROR(co_await clock_.sleep_until(when));
  const auto found = delayed_.find(key);
  if (found != delayed_.end() && found->second == when) {
    delayed_.erase(found);
    enqueue(key);
  }
  co_return base::Result<>{};
}

base::Co<> ReconcileLoop::work() {
  while (true) {
    auto next = queue_.begin();
    while (next != queue_.end() && active_.contains(*next)) ++next;
    if (next == queue_.end()) {
      CO_RETURN_IF_ERROR(co_await queued_.wait());
      continue;
    }
    const Key key = *next;
    queue_.erase(next);
    active_.insert(key);
    auto result = co_await step_(key);
    active_.erase(key);
    finish(key, result);
    // A step that had nothing to commit didn't wait: others get their turn, however long the queue is.
    co_await boost::asio::post(queued_.executor(), boost::asio::use_awaitable);
    if (!result && result.error().code == base::Code::kCancelled) co_return std::unexpected(result.error());
  }
}

void ReconcileLoop::finish(const Key& key, const base::Result<std::optional<base::Time>>& result) {
  if (result) {
    failures_.erase(key);
    if (*result) enqueue_at(key, **result);
    // A worker may be waiting for this very key.
    if (queue_.contains(key)) queued_.notify();
    return;
  }
  const auto& error = result.error();
  if (error.code == base::Code::kCancelled) return;
  auto& backoff = failures_.try_emplace(key, base::Backoff(kBackoff)).first->second;
  const auto delay = backoff.next(random_);
  if (error.code != base::Code::kAborted)
    base::log::warn("{}: {} {}/{}: {}; trying again", name_, key.kind, key.name.stack, key.name.name, error.message);
  enqueue_at(key, clock_.now() + delay);
}

}  // namespace orchion::control::controllers
