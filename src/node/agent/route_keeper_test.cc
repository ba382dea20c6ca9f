#include "node/agent/route_keeper.h"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/task_group.h"
#include "node/agent/machine_fakes.h"

namespace orchion::node::agent {
namespace {

using mesh::ingress::Server;
using std::chrono::seconds;

class RouteKeeperTest : public testing::Test {
 protected:
  RouteKeeperTest() {
    group_.spawn("routes", keeper_.keep());
    settle();
  }
  ~RouteKeeperTest() override {
    boost::asio::co_spawn(io_, group_.shutdown(), [](std::exception_ptr, base::Result<>) {});
    settle();
  }

  void settle() {
    io_.restart();
    while (io_.poll() > 0) {
    }
  }
  void advance(base::Duration duration) {
    clock_.advance(duration);
    settle();
  }
  static v1::RouteAssignments routes(int count) {
    v1::RouteAssignments out;
    for (int i = 0; i < count; ++i) out.add_routes()->set_service("s" + std::to_string(i));
    return out;
  }

  boost::asio::io_context io_;
  base::ManualClock clock_;
  base::TaskGroup group_{io_.get_executor()};
  TestIngress ingress_;
  std::vector<Server> servers_;
  RouteKeeper keeper_{io_.get_executor(), clock_, &ingress_, [this](const auto&) { return servers_; }};
};

TEST_F(RouteKeeperTest, WhatAnEarlierProcessLeftIsSettledAtOnce) {
  EXPECT_EQ(ingress_.applied, 1);
  EXPECT_TRUE(ingress_.now.empty());
}

TEST_F(RouteKeeperTest, ChangesOfRoutesAndServersAreToldOnce) {
  keeper_.set_routes(routes(2));
  settle();
  EXPECT_EQ(ingress_.applied, 2);
  ASSERT_EQ(ingress_.now.size(), 2u);
  servers_ = {{"t1", "10.0.0.2"}};
  keeper_.notify();
  settle();
  EXPECT_EQ(ingress_.applied, 3);
  EXPECT_EQ(ingress_.now[1].servers, servers_);
  keeper_.notify();
  keeper_.set_routes(routes(2));
  settle();
  advance(seconds(5));
  EXPECT_EQ(ingress_.applied, 3);
}

TEST_F(RouteKeeperTest, WhoIsLeftBehindIsLookedAfter) {
  ingress_.all_done = false;
  keeper_.set_routes(routes(1));
  settle();
  const auto before = ingress_.applied;
  advance(seconds(1));
  EXPECT_EQ(ingress_.applied, before + 1);
  ingress_.all_done = true;
  advance(seconds(1));
  advance(seconds(1));
  EXPECT_EQ(ingress_.applied, before + 2);
}

TEST_F(RouteKeeperTest, AnIngressThatEndedIsStartedAnew) {
  keeper_.set_routes(routes(1));
  settle();
  const auto before = ingress_.applied;
  ingress_.up = false;
  advance(seconds(1));
  EXPECT_EQ(ingress_.applied, before + 1);
}

TEST_F(RouteKeeperTest, WhatFailedIsTriedAgainButNotWithoutPause) {
  ingress_.error = base::Error{base::Code::kFailedPrecondition, "the port is taken", {}};
  keeper_.set_routes(routes(1));
  settle();
  const auto before = ingress_.applied;
  settle();
  EXPECT_EQ(ingress_.applied, before);
  ingress_.error.reset();
  advance(seconds(1));
  advance(seconds(1));
  EXPECT_EQ(ingress_.applied, before + 1);
}

// What was written down may not know yet who serves by now.
TEST_F(RouteKeeperTest, AnIngressThatRunsIsLetBeUntilTheControlPlaneSaidAll) {
  TestIngress running;
  running.up = true;
  RouteKeeper next(io_.get_executor(), clock_, &running, [this](const auto&) { return servers_; });
  next.set_routes(routes(1));
  group_.spawn("its routes", next.keep());
  settle();
  advance(seconds(2));
  EXPECT_EQ(running.applied, 0);
  servers_ = {{"t1", "10.0.0.2"}};
  next.take_over();
  next.notify();
  settle();
  ASSERT_EQ(running.applied, 1);
  EXPECT_EQ(running.now[0].servers, servers_);
  boost::asio::co_spawn(io_, group_.shutdown(), [](std::exception_ptr, base::Result<>) {});
  settle();
}

TEST_F(RouteKeeperTest, WhoWaitsHearsWhatTheIngressSaid) {
  keeper_.set_routes(routes(1));
  ingress_.error = base::Error{base::Code::kInternal, "no", {}};
  std::optional<base::Result<>> heard;
  boost::asio::co_spawn(io_, keeper_.lead(), [&](std::exception_ptr, base::Result<> result) { heard = result; });
  settle();
  ASSERT_TRUE(heard);
  EXPECT_FALSE(*heard);
}

}  // namespace
}  // namespace orchion::node::agent
