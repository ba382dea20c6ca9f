#include "control/notify/planner.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/timestamps.h"

namespace orchion::control::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

const base::WallTime kStart{std::chrono::hours(24 * 365 * 50)};

v1::Event restarted(const std::string& task = "web.1.abcdef", const std::string& stack = "shop") {
  v1::Event event;
  event.mutable_meta()->set_stack(stack);
  event.set_kind("Task");
  event.set_subject(task);
  event.set_reason("TaskRestarted");
  event.set_severity(v1::Event::WARNING);
  event.set_message("web.1 exited with 3; started again");
  return event;
}

v1::Event node_event(v1::Event::Severity severity, const std::string& reason) {
  v1::Event event;
  event.set_kind("Node");
  event.set_subject("one");
  event.set_reason(reason);
  event.set_severity(severity);
  event.set_message("node one: something");
  return event;
}

// A channel over time: what it tells at each step, its memory kept.
class PlannerTest : public testing::Test {
 protected:
  PlannerTest() { channel_.mutable_meta()->set_name("ops"); }

  std::vector<std::string> titles(const std::vector<v1::Event>& events, base::Duration after = {}) {
    now_ += after;
    std::vector<std::shared_ptr<const v1::Event>> pointers;
    for (const auto& event : events) pointers.push_back(std::make_shared<const v1::Event>(event));
    last_ = plan_channel({channel_, memory_, pointers, [this](const std::string&) { return good_; }}, now_);
    memory_ = last_.memory;
    std::vector<std::string> titles;
    for (const auto& notification : last_.notifications) titles.push_back(notification.data().title());
    return titles;
  }

  v1::ChannelRule& rule() {
    return channel_.spec().rules().empty() ? *channel_.mutable_spec()->add_rules()
                                           : *channel_.mutable_spec()->mutable_rules(0);
  }

  v1::Channel channel_;
  v1::ChannelMemory memory_;
  ChannelPlan last_;
  std::optional<bool> good_ = false;
  base::WallTime now_ = kStart;
};

TEST_F(PlannerTest, WithoutRulesWarningsAndErrorsAreTold) {
  EXPECT_THAT(
      titles({restarted(), node_event(v1::Event::INFO, "NodeJoined"), node_event(v1::Event::ERROR, "NodeLost")}),
      ElementsAre("TaskRestarted: shop/web", "NodeLost: one"));
  EXPECT_EQ(last_.notifications[0].type(), "event");
  EXPECT_EQ(last_.notifications[0].data().text(), "web.1 exited with 3; started again");
  EXPECT_EQ(memory_.told_size(), 0);
  EXPECT_FALSE(last_.look_again);
}

TEST_F(PlannerTest, RulesChooseByReasonSeverityStackAndService) {
  rule().add_reasons("Node*");
  EXPECT_THAT(titles({restarted(), node_event(v1::Event::INFO, "NodeJoined")}), ElementsAre("NodeJoined: one"));
  rule().set_severity(v1::Event::ERROR);
  EXPECT_THAT(titles({node_event(v1::Event::WARNING, "NodeIll")}), ElementsAre());
  channel_.clear_spec();
  rule().add_stacks("sh*");
  EXPECT_THAT(titles({restarted(), restarted("web.1.x", "blog"), node_event(v1::Event::ERROR, "NodeLost")}),
              ElementsAre("TaskRestarted: shop/web"));
  channel_.clear_spec();
  rule().add_services("we?");
  EXPECT_THAT(titles({restarted(), restarted("db.1.x"), node_event(v1::Event::ERROR, "NodeLost")}),
              ElementsAre("TaskRestarted: shop/web"));
}

TEST_F(PlannerTest, TheFirstRuleThatFitsDecides) {
  rule().add_reasons("Task*");
  channel_.mutable_spec()->add_rules();
  EXPECT_EQ(titles({restarted()}).size(), 1u);
}

TEST_F(PlannerTest, AChannelDoesNotTellOfItself) {
  auto event = node_event(v1::Event::WARNING, "ChannelFailed");
  event.set_kind("Channel");
  event.set_subject("ops");
  EXPECT_THAT(titles({event}), ElementsAre());
  event.set_subject("other");
  EXPECT_EQ(titles({event}).size(), 1u);
}

TEST_F(PlannerTest, CoolDownHoldsBackAndCounts) {
  *rule().mutable_cool_down() = core::to_duration(minutes(10));
  EXPECT_EQ(titles({restarted(), restarted("web.2.xyz")}).size(), 1u);
  EXPECT_EQ(titles({restarted()}, minutes(9)).size(), 0u);
  EXPECT_EQ(titles({restarted("db.1.x")}).size(), 1u) << "another service";
  EXPECT_EQ(titles({restarted()}, minutes(1)).size(), 1u);
  EXPECT_THAT(last_.notifications[0].data().text(), HasSubstr("(2 more like it were held back)"));
  EXPECT_EQ(titles({}, minutes(11)).size(), 0u);
  EXPECT_EQ(memory_.told_size(), 0) << "nothing is remembered for ever";
}

TEST_F(PlannerTest, AGroupIsOneMessage) {
  *rule().mutable_group_for() = core::to_duration(seconds(30));
  EXPECT_EQ(titles({restarted()}).size(), 0u);
  EXPECT_EQ(last_.look_again, kStart + seconds(30));
  EXPECT_EQ(titles({node_event(v1::Event::ERROR, "NodeLost")}, seconds(10)).size(), 0u);
  EXPECT_THAT(titles({}, seconds(20)), ElementsAre("2 events: NodeLost, TaskRestarted"));
  EXPECT_EQ(last_.notifications[0].type(), "events");
  EXPECT_EQ(last_.notifications[0].data().severity(), v1::Event::ERROR);
  EXPECT_EQ(titles({}, seconds(60)).size(), 0u);
  EXPECT_EQ(memory_.groups_size(), 0);
}

TEST_F(PlannerTest, AGroupIsBounded) {
  *rule().mutable_group_for() = core::to_duration(seconds(30));
  titles(std::vector<v1::Event>(1000, restarted()));
  ASSERT_EQ(titles({}, seconds(30)).size(), 1u);
  EXPECT_EQ(last_.notifications[0].data().events_size(), 20);
  EXPECT_EQ(last_.notifications[0].data().more(), 980u);
  EXPECT_THAT(last_.notifications[0].data().text(), HasSubstr("and 980 more"));
}

TEST_F(PlannerTest, RecoveryIsToldOnceItLasts) {
  rule().set_recovery(true);
  auto lost = restarted();
  lost.set_reason("TaskFailed");
  EXPECT_EQ(titles({restarted(), lost}).size(), 2u);
  good_ = true;
  EXPECT_EQ(titles({}, seconds(1)).size(), 0u);
  EXPECT_EQ(last_.look_again, now_ + seconds(10));
  good_ = false;
  EXPECT_EQ(titles({}, seconds(5)).size(), 0u);
  EXPECT_FALSE(last_.look_again);
  good_ = true;
  titles({}, seconds(1));
  EXPECT_EQ(titles({}, seconds(9)).size(), 0u);
  EXPECT_THAT(titles({}, seconds(1)), ElementsAre("Recovered: shop/web"));
  EXPECT_EQ(last_.notifications[0].type(), "recovered");
  EXPECT_EQ(last_.notifications[0].data().severity(), v1::Event::INFO);
  EXPECT_EQ(titles({}, minutes(1)).size(), 0u);
  EXPECT_EQ(memory_.told_size(), 0);
}

TEST_F(PlannerTest, AnotherFailureBeginsTheWaitForRecoveryAnew) {
  rule().set_recovery(true);
  good_ = true;
  titles({restarted()});
  titles({restarted()}, seconds(9));
  EXPECT_EQ(titles({}, seconds(9)).size(), 0u);
  EXPECT_EQ(titles({}, seconds(1)).size(), 1u);
}

TEST_F(PlannerTest, WhatIsGoneDoesNotRecover) {
  rule().set_recovery(true);
  titles({restarted()});
  good_ = std::nullopt;
  EXPECT_EQ(titles({}, minutes(1)).size(), 0u);
  EXPECT_EQ(memory_.told_size(), 0);
}

TEST_F(PlannerTest, WhatIsRememberedIsBounded) {
  *rule().mutable_cool_down() = core::to_duration(minutes(10));
  std::vector<v1::Event> events;
  for (int i = 0; i < 1000; ++i) events.push_back(restarted(fmt::format("s{}.1.x", i)));
  EXPECT_EQ(titles(events).size(), 1000u);
  EXPECT_LE(memory_.told_size(), 200);
}

TEST(Subject, TasksAreTheirService) {
  EXPECT_EQ(subject_of(restarted()), "Service/shop/web");
  EXPECT_EQ(subject_of(node_event(v1::Event::INFO, "x")), "Node//one");
}

}  // namespace
}  // namespace orchion::control::notify
