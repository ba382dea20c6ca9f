#include "control/controllers/reconcile_loop.h"

#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace orchion::control::controllers {
namespace {

const Key kA{"T", {"", "a"}}, kB{"T", {"", "b"}};

class ReconcileLoopTest : public testing::Test {
 protected:
  ReconcileLoopTest() : gate_(io_.get_executor()), loop_(io_.get_executor(), clock_, base::Random(1), "test", step()) {}
  ~ReconcileLoopTest() override {
    boost::asio::co_spawn(io_, loop_.shutdown(), boost::asio::detached);
    poll();
  }

  ReconcileLoop::Step step() {
    return [this](Key key) { return work(std::move(key)); };
  }

  base::Co<std::optional<base::Time>> work(Key key) {
    seen_.push_back(key.name.name);
    if (hold_) CO_RETURN_IF_ERROR(co_await gate_.wait());
    if (failures_ > 0) {
      --failures_;
      co_return base::fail(base::Code::kAborted, "somebody was quicker");
    }
    std::optional<base::Time> again = again_;
    again_.reset();
    co_return again;
  }

  void poll() {
    io_.restart();
    io_.poll();
  }

  boost::asio::io_context io_;
  base::ManualClock clock_;
  base::Notifier gate_;
  bool hold_ = false;
  int failures_ = 0;
  std::optional<base::Time> again_;
  std::vector<std::string> seen_;
  ReconcileLoop loop_;
};

TEST_F(ReconcileLoopTest, EachKeyOnceHoweverOftenQueued) {
  for (const auto& key : {kA, kB, kA, kA}) loop_.enqueue(key);
  loop_.start(2);
  poll();
  EXPECT_EQ(seen_, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(loop_.is_idle());
}

TEST_F(ReconcileLoopTest, AKeyThatChangesMeanwhileIsLookedAtAgainAndNeverTwiceAtOnce) {
  hold_ = true;
  loop_.start(4);
  loop_.enqueue(kA);
  poll();
  loop_.enqueue(kA);
  loop_.enqueue(kB);
  poll();
  EXPECT_EQ(seen_, (std::vector<std::string>{"a", "b"}));
  hold_ = false;
  gate_.notify();
  poll();
  EXPECT_EQ(seen_, (std::vector<std::string>{"a", "b", "a"}));
}

TEST_F(ReconcileLoopTest, ConflictsAreTriedAgainAfterAWhile) {
  failures_ = 3;
  loop_.start(1);
  loop_.enqueue(kA);
  poll();
  EXPECT_EQ(seen_.size(), 1u);
  for (int i = 0; i < 3; ++i) {
    clock_.advance(std::chrono::milliseconds(50));
    poll();
  }
  EXPECT_EQ(seen_.size(), 4u);
  clock_.advance(std::chrono::hours(1));
  poll();
  EXPECT_EQ(seen_.size(), 4u);
}

TEST_F(ReconcileLoopTest, LooksAgainWhenAsked) {
  again_ = clock_.now() + std::chrono::seconds(10);
  loop_.start(1);
  loop_.enqueue(kA);
  poll();
  loop_.enqueue_at(kA, clock_.now() + std::chrono::seconds(4));
  clock_.advance(std::chrono::seconds(5));
  poll();
  EXPECT_EQ(seen_.size(), 2u) << "the earlier time counts";
  clock_.advance(std::chrono::seconds(20));
  poll();
  EXPECT_EQ(seen_.size(), 2u) << "the later one was replaced by it";
}

}  // namespace
}  // namespace orchion::control::controllers
