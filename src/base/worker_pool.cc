#include "base/worker_pool.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

namespace orchion::base {

struct WorkerPool::State {
  explicit State(int threads) : pool(static_cast<std::size_t>(threads)) {}
  boost::asio::thread_pool pool;
};

WorkerPool::WorkerPool(int threads) : state_(std::make_unique<State>(threads)) {}

WorkerPool::~WorkerPool() {
  state_->pool.stop();
  state_->pool.join();
}

void WorkerPool::post(std::function<void()> job) {
  boost::asio::post(state_->pool, std::move(job));
}

void post_to(const Executor& executor, std::function<void()> action) {
  boost::asio::post(executor, std::move(action));
}

boost::asio::awaitable<Executor> this_executor() {
  co_return co_await boost::asio::this_coro::executor;
}

}  // namespace orchion::base
