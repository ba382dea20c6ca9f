#include "control/services/watch_feed.h"

#include "control/services/services_fixture_test.h"
#include "control/services/watch_service.h"

namespace orchion::control::services {
namespace {

using std::chrono::milliseconds;

// What a watcher was sent, as it was sent; while `gate` is shut nothing more is taken.
class SharedCall final : public core::SharingStream {
 public:
  explicit SharedCall(base::Executor executor) : opened_(executor) {}

  base::Co<std::optional<core::MessagePtr>> receive() override { co_return std::optional<core::MessagePtr>(); }
  base::Co<> send(core::MessagePtr message) override {
    while (shut) CO_RETURN_IF_ERROR(co_await opened_.wait());
    alone.push_back(static_cast<const v1::WatchEvent&>(*message));
    co_return base::Result<>{};
  }
  base::Co<> send_shared(std::vector<core::SharedMessagePtr> messages) override {
    while (shut) CO_RETURN_IF_ERROR(co_await opened_.wait());
    ++batches;
    for (auto& message : messages) shared.push_back(std::move(message));
    co_return base::Result<>{};
  }
  void finish() override {}
  void finish(base::Error) override {}

  void open() {
    shut = false;
    opened_.notify();
  }

  bool shut = false;
  int batches = 0;
  std::vector<v1::WatchEvent> alone;
  std::vector<core::SharedMessagePtr> shared;

 private:
  base::Notifier opened_;
};

class WatchFeedTest : public ServicesFixture {
 protected:
  ~WatchFeedTest() override {
    for (auto& watcher : watchers_) watcher->stop.emit(boost::asio::cancellation_type::all);
    loop_.poll();
  }

  struct Watcher {
    std::shared_ptr<SharedCall> call;
    boost::asio::cancellation_signal stop;
    store::Outcome<void> ended;
  };

  Watcher& start_watcher(v1::WatchRequest request = {}) {
    auto watcher = std::make_unique<Watcher>();
    watcher->call = std::make_shared<SharedCall>(loop_.executor());
    watcher->ended = loop_.start(watch(context(), feed_, std::move(request), watcher->call), &watcher->stop);
    loop_.poll();
    watchers_.push_back(std::move(watcher));
    return *watchers_.back();
  }

  void put(const std::string& name, const std::string& stack = "") {
    v1::Service service;
    service.mutable_meta()->set_name(name);
    service.mutable_meta()->set_stack(stack);
    store::Transaction transaction;
    store::create(transaction, service);
    commit(std::move(transaction));
    loop_.poll();
  }

  static std::string name_of(const core::SharedMessagePtr& event) {
    return static_cast<const v1::WatchEvent&>(event->message()).service().meta().name();
  }

  std::shared_ptr<WatchFeed> feed_ = std::make_shared<WatchFeed>(context());
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

TEST_F(WatchFeedTest, AllWatchersAreSentTheSameEvent) {
  const auto& first = *start_watcher().call;
  const auto& second = *start_watcher().call;
  put("web");
  ASSERT_EQ(first.shared.size(), 1u);
  EXPECT_EQ(name_of(first.shared[0]), "web");
  EXPECT_EQ(first.shared, second.shared) << "the same, no copies";
}

TEST_F(WatchFeedTest, EachSeesOnlyWhatItAskedFor) {
  v1::WatchRequest of_stack;
  of_stack.set_stack("shop");
  v1::WatchRequest of_nodes;
  of_nodes.add_kinds("Node");
  const auto& shop = *start_watcher(of_stack).call;
  const auto& nodes = *start_watcher(of_nodes).call;
  put("web", "shop");
  put("web", "blog");
  ASSERT_EQ(shop.shared.size(), 1u);
  EXPECT_EQ(static_cast<const v1::WatchEvent&>(shop.shared[0]->message()).service().meta().stack(), "shop");
  EXPECT_TRUE(nodes.shared.empty());
}

TEST_F(WatchFeedTest, WhatComesWhileAWatcherIsSlowGoesInOneBatch) {
  auto& call = *start_watcher().call;
  call.shut = true;
  for (const auto* name : {"a", "b", "c", "d"}) put(name);
  call.open();
  loop_.poll();
  ASSERT_EQ(call.shared.size(), 4u);
  EXPECT_EQ(name_of(call.shared[0]), "a");
  EXPECT_EQ(name_of(call.shared[3]), "d");
  EXPECT_EQ(call.batches, 2) << "the first was on its way already";
}

TEST_F(WatchFeedTest, OneFarBehindIsToldToListAgainAndHoldsUpNobody) {
  auto& slow = start_watcher();
  const auto& quick = *start_watcher().call;
  slow.call->shut = true;
  const int all = 2100;
  for (int i = 0; i < all; ++i) put("s" + std::to_string(i));
  EXPECT_EQ(quick.shared.size(), static_cast<std::size_t>(all));
  slow.call->open();
  EXPECT_TRUE(loop_.wait(slow.ended));
  EXPECT_EQ(slow.call->alone.back().type(), v1::WatchEvent::LIST_AGAIN);
  EXPECT_LT(slow.call->shared.size(), 100u) << "of what it missed nothing is sent";
}

TEST_F(WatchFeedTest, ManyRestAndLoseNothing) {
  for (int i = 0; i < 50; ++i) start_watcher();
  put("a");
  EXPECT_GT(feed_->rest(), milliseconds(5));
  EXPECT_LT(feed_->rest(), milliseconds(50));
  for (const auto& watcher : watchers_) EXPECT_EQ(watcher->call->shared.size(), 1u) << "the first isn't kept waiting";
  put("b");
  put("c");
  for (const auto& watcher : watchers_) EXPECT_EQ(watcher->call->shared.size(), 1u) << "they rest";
  clock_.advance(feed_->rest());
  loop_.poll();
  for (const auto& watcher : watchers_) {
    EXPECT_EQ(watcher->call->shared.size(), 3u);
    EXPECT_EQ(watcher->call->batches, 2);
  }
}

TEST_F(WatchFeedTest, AFewDoNotRest) {
  start_watcher();
  put("a");
  EXPECT_EQ(feed_->rest(), base::Duration(0));
}

TEST_F(WatchFeedTest, ThoseWhoWentAreForgotten) {
  for (int i = 0; i < 50; ++i) start_watcher();
  for (auto& watcher : watchers_) watcher->stop.emit(boost::asio::cancellation_type::all);
  loop_.poll();
  put("a");
  EXPECT_EQ(feed_->rest(), base::Duration(0));
}

}  // namespace
}  // namespace orchion::control::services
