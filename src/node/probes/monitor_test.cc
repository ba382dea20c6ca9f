// The checks of an attempt on a turned clock.

#include "node/probes/monitor.h"

#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/task_group.h"
#include "core/health_check.h"

namespace orchion::node::probes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using Verdict = Outcome::Verdict;

v1::HealthCheck check_of(std::uint32_t port) {
  v1::HealthCheck check;
  check.mutable_tcp()->set_port(port);
  check.mutable_interval()->set_seconds(10);
  check.mutable_timeout()->set_seconds(2);
  check.set_retries(2);
  return check;
}

constexpr std::uint32_t kAlive = 1, kReady = 2, kStarted = 3;

class MonitorTest : public testing::Test {
 protected:
  MonitorTest() : group_(io_.get_executor()), random_(1) {}
  ~MonitorTest() override {
    if (monitor_) monitor_->stop();
    boost::asio::co_spawn(io_, group_.shutdown(), boost::asio::detached);
    settle();
  }

  void begin(const CheckSet& checks, const Findings& known = {}, bool is_known = false) {
    Monitor::Parts parts{
        .clock = clock_,
        .random = random_,
        .ask = [this](const v1::HealthCheck& check, base::Duration timeout) { return ask(check, timeout); },
        .changed = [this] { ++changes_; },
        .remedy = "is restarted"};
    monitor_ = std::make_shared<Monitor>(std::move(parts), checks, clock_.wall(), known, is_known);
    group_.spawn("checking", monitor_->run());
    settle();
  }

  base::Co<Outcome> ask(v1::HealthCheck check, base::Duration) {
    const auto port = check.tcp().port();
    asked_[port].push_back(clock_.now());
    const auto verdict = answers_.contains(port) ? answers_[port] : Verdict::kGood;
    co_return Outcome{verdict, verdict == Verdict::kGood ? "fine" : "it hurts\nhere"};
  }

  void settle() {
    io_.restart();
    io_.poll();
  }
  void advance(base::Duration duration) {
    for (const auto end = clock_.now() + duration; clock_.now() < end;) {
      clock_.advance(std::min<base::Duration>(milliseconds(100), end - clock_.now()));
      settle();
    }
  }
  Findings findings() const { return monitor_->findings(); }

  boost::asio::io_context io_;
  base::ManualClock clock_;
  base::TaskGroup group_;
  base::Random random_;
  std::map<std::uint32_t, Verdict> answers_;                // by port
  std::map<std::uint32_t, std::vector<base::Time>> asked_;  // the same
  std::shared_ptr<Monitor> monitor_;
  int changes_ = 0;
};

TEST_F(MonitorTest, ALivenessCheckAloneSaysHowItIs) {
  begin({.liveness = check_of(kAlive)});
  EXPECT_EQ(findings().health, v1::HEALTH_STARTING);
  EXPECT_EQ(findings().readiness, v1::NOT_CHECKED) << "names lead to what starts";
  advance(seconds(1));
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD);
  EXPECT_EQ(changes_, 1);
  answers_[kAlive] = Verdict::kBad;
  advance(seconds(25));
  EXPECT_EQ(findings().health, v1::HEALTH_BAD);
  EXPECT_EQ(findings().health_message, "it hurts here");
  EXPECT_EQ(findings().readiness, v1::HEALTH_BAD) << "names lead elsewhere";
  EXPECT_EQ(changes_, 2) << "only what changes is told";
  answers_[kAlive] = Verdict::kGood;
  advance(seconds(10));
  EXPECT_EQ(findings().readiness, v1::NOT_CHECKED);
  EXPECT_EQ(findings().health_message, "");
}

TEST_F(MonitorTest, ReadinessSaysNothingAboutHealth) {
  answers_[kReady] = Verdict::kBad;
  begin({.liveness = check_of(kAlive), .readiness = check_of(kReady)});
  advance(seconds(1));
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD);
  EXPECT_EQ(findings().readiness, v1::HEALTH_STARTING);
  advance(seconds(40));
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD);
  EXPECT_EQ(findings().readiness, v1::HEALTH_BAD);
  EXPECT_EQ(findings().readiness_message, "it hurts here");
  answers_[kReady] = Verdict::kGood;
  advance(seconds(10));
  EXPECT_EQ(findings().readiness, v1::HEALTH_GOOD);
}

TEST_F(MonitorTest, StartupHoldsTheOthersBack) {
  answers_[kStarted] = Verdict::kUnknown;
  begin({.liveness = check_of(kAlive), .readiness = check_of(kReady), .startup = check_of(kStarted)});
  advance(seconds(60));
  EXPECT_TRUE(asked_[kAlive].empty());
  EXPECT_TRUE(asked_[kReady].empty());
  EXPECT_EQ(findings().health, v1::HEALTH_STARTING);
  EXPECT_EQ(findings().readiness, v1::HEALTH_STARTING);
  EXPECT_FALSE(findings().started_up);
  EXPECT_EQ(monitor_->describe().probes(1).next(), "is asked once the startup check has succeeded");
  answers_[kStarted] = Verdict::kGood;
  advance(seconds(11));
  EXPECT_TRUE(findings().started_up);
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD) << "soon after, not an interval later";
  EXPECT_EQ(findings().readiness, v1::HEALTH_GOOD);
  const auto started = asked_[kStarted].size();
  advance(seconds(60));
  EXPECT_EQ(asked_[kStarted].size(), started) << "it has said its word";
  EXPECT_GE(asked_[kAlive].size(), 6u);
}

TEST_F(MonitorTest, AStartupThatFailsForGoodIsIllHealth) {
  answers_[kStarted] = Verdict::kBad;
  begin({.startup = check_of(kStarted)});
  advance(seconds(35));
  EXPECT_EQ(findings().health, v1::HEALTH_BAD);
  EXPECT_EQ(findings().health_message, "it hurts here");
}

TEST_F(MonitorTest, OneOfAKnownImageMustSucceedBeforeItCounts) {
  auto known = check_of(kAlive);
  known.set_origin(core::known_image_origin("nginx"));
  answers_[kAlive] = Verdict::kBad;
  begin({.liveness = known});
  advance(seconds(60));
  EXPECT_EQ(findings().health, v1::NOT_CHECKED) << "perhaps this container does something else";
  EXPECT_EQ(findings().readiness, v1::NOT_CHECKED);
  EXPECT_THAT(findings().health_message,
              HasSubstr("known image nginx never succeeded and doesn't count (it hurts here)"));
  answers_[kAlive] = Verdict::kGood;
  advance(seconds(10));
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD);
  answers_[kAlive] = Verdict::kBad;
  advance(seconds(20));
  EXPECT_EQ(findings().health, v1::HEALTH_BAD);
}

TEST_F(MonitorTest, WhatCouldNotBeAskedSaysNothing) {
  begin({.liveness = check_of(kAlive)});
  advance(seconds(1));
  answers_[kAlive] = Verdict::kUnknown;
  advance(seconds(100));
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD);
  EXPECT_FALSE(monitor_->describe().probes(0).results(4).success());
}

TEST_F(MonitorTest, AnAdoptedTaskGoesOnFromWhatWasKnown) {
  begin({.liveness = check_of(kAlive), .readiness = check_of(kReady), .startup = check_of(kStarted)},
        {.health = v1::HEALTH_GOOD, .readiness = v1::HEALTH_BAD, .readiness_message = "no disk", .started_up = true},
        /*is_known=*/true);
  EXPECT_EQ(findings().health, v1::HEALTH_GOOD);
  EXPECT_EQ(findings().readiness, v1::HEALTH_BAD);
  EXPECT_EQ(findings().readiness_message, "no disk");
  advance(seconds(10));
  EXPECT_EQ(findings().readiness, v1::HEALTH_GOOD);
  EXPECT_TRUE(asked_[kStarted].empty());
}

TEST_F(MonitorTest, SaysWhatItFoundAndWhatComesNext) {
  begin({.liveness = check_of(kAlive), .readiness = check_of(kReady)});
  advance(seconds(1));
  auto health = monitor_->describe();
  ASSERT_EQ(health.probes_size(), 2);
  EXPECT_EQ(health.probes(0).purpose(), v1::Probe::LIVENESS);
  EXPECT_EQ(health.probes(0).state(), v1::HEALTH_GOOD);
  EXPECT_EQ(health.probes(0).results(0).output(), "fine");
  EXPECT_EQ(health.probes(0).next(), "is restarted after 2 failures in a row");
  EXPECT_TRUE(health.probes(0).has_next_at());
  EXPECT_EQ(health.probes(0).check().start_interval().seconds(), 5) << "defaults are filled in";
  EXPECT_EQ(health.probes(1).next(), "names and published ports lead elsewhere after 2 failures in a row");
  answers_[kAlive] = answers_[kReady] = Verdict::kBad;
  advance(seconds(10));
  health = monitor_->describe();
  EXPECT_EQ(health.probes(0).next(), "is restarted after 1 more failure");
  advance(seconds(100));
  health = monitor_->describe();
  EXPECT_EQ(health.probes(0).results_size(), 5);
  EXPECT_EQ(health.probes(1).next(), "names and published ports lead to it again after one success");
}

TEST_F(MonitorTest, AStoppedOneAsksNothing) {
  begin({.liveness = check_of(kAlive)});
  advance(seconds(1));
  const auto asked = asked_[kAlive].size();
  monitor_->stop();
  advance(seconds(60));
  EXPECT_EQ(asked_[kAlive].size(), asked);
}

TEST_F(MonitorTest, TasksThatBeganTogetherAreNotAskedTogether) {
  std::map<std::int64_t, int> by_millisecond;
  std::vector<std::shared_ptr<Monitor>> monitors;
  for (int i = 0; i < 1000; ++i) {
    Monitor::Parts parts{
        .clock = clock_,
        .random = random_,
        .ask = [this](const v1::HealthCheck& check, base::Duration timeout) { return ask(check, timeout); },
        .changed = [] {}};
    monitors.push_back(std::make_shared<Monitor>(std::move(parts), CheckSet{.liveness = check_of(kAlive)},
                                                 clock_.wall(), Findings(), false));
    group_.spawn("checking", monitors.back()->run());
  }
  settle();
  for (int i = 0; i < 11'000; ++i) {
    clock_.advance(milliseconds(1));
    settle();
  }
  for (const auto at : asked_[kAlive]) ++by_millisecond[at.time_since_epoch().count() / 1'000'000];
  EXPECT_GE(asked_[kAlive].size(), 2000u);
  for (const auto& [at, count] : by_millisecond) EXPECT_LT(count, 80) << at;  // of a thousand, on one tick
  for (const auto& monitor : monitors) monitor->stop();
}

}  // namespace
}  // namespace orchion::node::probes
