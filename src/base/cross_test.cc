#include "base/cross.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

namespace orchion::base {
namespace {

using namespace std::chrono_literals;

class Loop {
 public:
  Loop() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~Loop() {
    guard_.reset();
    context_.stop();
    thread_.join();
  }
  Executor executor() { return context_.get_executor(); }
  template <class T>
  std::future<T> start(boost::asio::awaitable<T> coroutine) {
    return boost::asio::co_spawn(context_, std::move(coroutine), boost::asio::use_future);
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

using Ints = std::shared_ptr<CrossChannel<int>>;

Co<> send_all(Ints channel, int count) {
  for (int i = 0; i < count; ++i) CO_RETURN_IF_ERROR(co_await channel->send(i));
  channel->close(Error{Code::kOutOfRange, "no more", {}});
  co_return Result<>{};
}

Co<int> receive_all_one_by_one(Ints channel) {
  for (int count = 0;; ++count) {
    auto value = co_await channel->receive();
    if (!value) co_return value.error().code == Code::kOutOfRange ? Result<int>(count) : std::unexpected(value.error());
    if (*value != count) co_return fail(Code::kDataLoss, "out of order");
  }
}

Co<int> receive_in_batches(Ints channel) {
  int count = 0;
  while (true) {
    auto batch = co_await channel->receive_all(10s);
    if (!batch) co_return batch.error().code == Code::kOutOfRange ? Result<int>(count) : std::unexpected(batch.error());
    for (const int value : **batch) {
      if (value != count++) co_return fail(Code::kDataLoss, "out of order");
    }
  }
}

TEST(CrossChannel, EverythingArrivesInOrderThenTheError) {
  Loop from;
  Loop to;
  const auto one = std::make_shared<CrossChannel<int>>(from.executor(), to.executor(), 3);
  auto received = to.start(receive_all_one_by_one(one));
  EXPECT_TRUE(from.start(send_all(one, 10'000)).get());
  EXPECT_EQ(received.get(), 10'000);
  const auto many = std::make_shared<CrossChannel<int>>(from.executor(), to.executor(), 100);
  auto batches = to.start(receive_in_batches(many));
  EXPECT_TRUE(from.start(send_all(many, 10'000)).get());
  EXPECT_EQ(batches.get(), 10'000);
}

Co<bool> wait_in_vain(Ints channel) {
  CO_ASSIGN_OR_RETURN(auto batch, co_await channel->receive_all(1ms));
  co_return batch && batch->empty();
}

TEST(CrossChannel, ReceiveAllReturnsEmptyAfterItsLimit) {
  Loop loop;
  EXPECT_EQ(loop.start(wait_in_vain(std::make_shared<CrossChannel<int>>(loop.executor(), loop.executor(), 1))).get(),
            true);
}

TEST(CrossChannel, CloseFreesAWaitingSender) {
  Loop from;
  Loop to;
  const auto channel = std::make_shared<CrossChannel<int>>(from.executor(), to.executor(), 1);
  auto sent = from.start(send_all(channel, 2));
  channel->close();
  EXPECT_FALSE(sent.get());
}

Co<bool> ask(Executor there) {
  const auto mine = std::this_thread::get_id();
  CO_ASSIGN_OR_RETURN(const auto theirs,
                      co_await run_on(there, [] { return Result<std::thread::id>(std::this_thread::get_id()); }));
  co_return theirs != mine&& std::this_thread::get_id() == mine;
}

Co<> ask_in_vain(Executor there) {
  co_return co_await run_on(there, [] { return Result<>(fail(Code::kNotFound, "nothing")); });
}

TEST(RunOn, RunsThereAndReturnsHere) {
  Loop here;
  Loop there;
  EXPECT_EQ(here.start(ask(there.executor())).get(), true);
  const auto failed = here.start(ask_in_vain(there.executor())).get();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace orchion::base
