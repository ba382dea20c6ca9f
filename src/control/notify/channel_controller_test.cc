#include "control/notify/channel_controller.h"

#include <gmock/gmock.h>

#include "control/notify/fake_outbound.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/memory/memory_store.h"
#include "core/events.h"
#include "core/timestamps.h"

namespace orchion::control::notify {
namespace {

using testing::HasSubstr;

// Lives of a server over one store.
class ChannelControllerTest : public testing::Test {
 protected:
  ChannelControllerTest() { start(); }
  ~ChannelControllerTest() override { stop(); }

  void start() {
    objects_ = std::make_unique<store::ObjectStore>(loop_.executor(), memory_);
    ASSERT_TRUE(loop_.run(objects_->start()));
    outbound_ = std::make_unique<FakeOutbound>();
    controller_ =
        std::make_unique<ChannelController>(loop_.executor(), *objects_, clock_, base::Random(++seed_), *outbound_);
    ASSERT_TRUE(loop_.run(controller_->start()));
  }
  void stop() {
    ASSERT_TRUE(loop_.run(controller_->shutdown()));
    controller_.reset();
    ASSERT_TRUE(loop_.run(objects_->shutdown()));
    loop_.poll();
    objects_.reset();
  }

  const store::View& view() const { return objects_->view(); }
  v1::Channel channel() const { return *view().channels().find("ops"); }

  void commit(store::Transaction transaction) {
    const auto committed = loop_.run(objects_->commit(std::move(transaction)));
    ASSERT_TRUE(committed) << committed.error().message;
  }
  void make_channel(const std::string& name = "ops") {
    v1::Channel made;
    made.mutable_meta()->set_name(name);
    made.mutable_spec()->mutable_slack()->set_url("https://slack.example.org/secret");
    store::Transaction transaction;
    store::create(transaction, made);
    commit(std::move(transaction));
  }
  void happen(const std::string& message = "it broke", v1::Event::Severity severity = v1::Event::WARNING) {
    store::Transaction transaction;
    store::create(transaction, core::make_event({severity, "Node", "", "one", "uid", "NodeIll", message, ""},
                                                clock_.wall(), random_));
    commit(std::move(transaction));
  }

  // Runs the loop until it holds: senders are threads, so that turns of the loop alone say nothing.
  template <class Condition>
  void until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      loop_.io().restart();
      loop_.io().run_one_for(std::chrono::milliseconds(10));
    }
  }
  void until_quiet() {
    until([this] { return view().deliveries().all().empty(); });
  }

  // Of the i-th message sent in this life.
  std::string body(std::size_t i) const { return std::get<HttpMessage>(outbound_->sent().at(i).content).body; }

  store::TestLoop loop_;
  base::ManualClock clock_;
  base::Random random_{7};
  std::uint64_t seed_ = 0;
  store::MemoryStore memory_{loop_.executor(), "e"};
  std::unique_ptr<store::ObjectStore> objects_;
  std::unique_ptr<FakeOutbound> outbound_;
  std::unique_ptr<ChannelController> controller_;
};

TEST_F(ChannelControllerTest, WhatHappensFromThenOnIsTold) {
  happen("before");
  make_channel();
  happen("first");
  happen("second");
  happen("a trifle", v1::Event::INFO);
  until([&] { return channel().status().delivered() == 2; });
  ASSERT_EQ(outbound_->sent().size(), 2u);
  EXPECT_THAT(body(0), HasSubstr("first"));
  EXPECT_THAT(body(1), HasSubstr("second"));
  EXPECT_EQ(channel().status().last_result(), "delivered");
  EXPECT_EQ(channel().status().pending(), 0u);
  EXPECT_TRUE(view().deliveries().all().empty());
}

TEST_F(ChannelControllerTest, WhatHappensRightAfterAChannelWasMadeIsToldToo) {
  make_channel("other");
  happen("to the other alone");
  store::Transaction both;
  v1::Channel made = *view().channels().find("other");
  made.mutable_meta()->Clear();
  made.mutable_meta()->set_name("ops");
  store::create(both, made);
  auto first = loop_.start(objects_->commit(std::move(both)));
  store::Transaction event;
  store::create(event, core::make_event({v1::Event::ERROR, "Node", "", "one", "uid", "NodeLost", "to both", ""},
                                        clock_.wall(), random_));
  auto second = loop_.start(objects_->commit(std::move(event)));
  ASSERT_TRUE(loop_.wait(first));
  ASSERT_TRUE(loop_.wait(second));
  until([&] { return channel().status().delivered() == 1; });
  until([&] { return view().channels().find("other")->status().delivered() == 2; });
  EXPECT_EQ(outbound_->sent().size(), 3u);
}

TEST_F(ChannelControllerTest, ARestartTellsNothingTwice) {
  make_channel();
  happen("first");
  until([&] { return channel().status().delivered() == 1; });
  stop();
  start();
  happen("second");
  until([&] { return channel().status().delivered() == 2; });
  ASSERT_EQ(outbound_->sent().size(), 1u);
  EXPECT_THAT(body(0), HasSubstr("second"));
}

TEST_F(ChannelControllerTest, WhatHappenedWhileNobodyFollowedIsToldAfterwards) {
  make_channel();
  happen("first");
  until([&] { return channel().status().delivered() == 1; });
  ASSERT_TRUE(loop_.run(controller_->shutdown()));
  happen("meanwhile");
  controller_ = std::make_unique<ChannelController>(loop_.executor(), *objects_, clock_, base::Random(9), *outbound_);
  ASSERT_TRUE(loop_.run(controller_->start()));
  until([&] { return channel().status().delivered() == 2; });
  EXPECT_THAT(body(1), HasSubstr("meanwhile"));
}

TEST_F(ChannelControllerTest, WhatFailsIsTriedAgainUnderTheSameIdAlsoAfterARestart) {
  make_channel();
  outbound_->answer(base::fail(base::Code::kUnavailable, "the receiver answered 500"));
  happen();
  until([&] { return channel().status().last_result() == "the receiver answered 500"; });
  EXPECT_EQ(channel().status().pending(), 1u);
  const auto id = view().deliveries().all().begin()->first.name;
  stop();
  start();
  loop_.poll();
  EXPECT_EQ(outbound_->sent().size(), 0u) << "before its time";
  EXPECT_EQ(view().deliveries().all().begin()->first.name, id);
  clock_.advance(std::chrono::seconds(5));
  until_quiet();
  EXPECT_EQ(outbound_->sent().size(), 1u);
  EXPECT_EQ(channel().status().delivered(), 1u);
}

TEST_F(ChannelControllerTest, InTheEndItIsGivenUpAndAnEventSaysSo) {
  make_channel();
  for (int i = 0; i < 7; ++i) outbound_->answer(base::fail(base::Code::kUnavailable, "the receiver answered 500"));
  happen();
  for (std::size_t i = 1; i <= std::size(kRetries); ++i) {
    until([&] {
      return outbound_->sent().size() == i && !view().deliveries().all().empty() &&
             view().deliveries().all().begin()->second->status().attempts() == i;
    });
    loop_.poll();
    clock_.advance(kRetries[i - 1]);
  }
  until_quiet();
  EXPECT_EQ(outbound_->sent().size(), 7u);
  EXPECT_EQ(channel().status().failed(), 1u);
  const auto last = std::prev(view().events().all().end())->second;
  EXPECT_EQ(last->reason(), "ChannelFailed");
  EXPECT_THAT(last->message(), HasSubstr("given up after 7 attempts: the receiver answered 500"));
  EXPECT_THAT(last->message(), testing::Not(HasSubstr("secret")));
}

TEST_F(ChannelControllerTest, AReceiverThatWantsNoMoreIsNotAskedAgain) {
  make_channel();
  outbound_->answer(base::fail(base::Code::kNotFound, "the receiver answered 410"));
  happen();
  until([&] { return channel().status().failed() == 1; });
  until_quiet();
  EXPECT_EQ(outbound_->sent().size(), 1u);
}

TEST_F(ChannelControllerTest, WhatAChannelHadGoesWithIt) {
  make_channel();
  outbound_->answer(base::fail(base::Code::kUnavailable, "no"));
  happen();
  until([&] { return channel().status().pending() == 1 && channel().status().has_last_at(); });
  store::Transaction transaction;
  store::remove(transaction, channel());
  commit(std::move(transaction));
  until_quiet();
  until([&] { return loop_.run(objects_->list("notify/"))->entries.empty(); });
}

TEST_F(ChannelControllerTest, ATestMessageIsSentOnceAndNotKept) {
  make_channel();
  auto sent = loop_.run(controller_->send_test(channel()));
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_THAT(body(0), HasSubstr("Test of the channel ops"));
  outbound_->answer(base::fail(base::Code::kUnavailable, "it refuses connections"));
  sent = loop_.run(controller_->send_test(channel()));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "it refuses connections");
  EXPECT_TRUE(view().deliveries().all().empty());
}

}  // namespace
}  // namespace orchion::control::notify
