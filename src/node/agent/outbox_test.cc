#include "node/agent/outbox.h"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

namespace orchion::node::agent {
namespace {

class OutboxTest : public testing::Test {
 protected:
  void put(const std::string& uid, v1::TaskState state) {
    v1::TaskReport report;
    report.set_task_uid(uid);
    report.mutable_status()->set_state(state);
    outbox.put(report);
  }

  // "a:4" for a report, else the message's kind.
  std::string next() {
    const auto message = outbox.next();
    if (!message) return "";
    if (message->has_report())
      return message->report().task_uid() + ":" + std::to_string(message->report().status().state());
    return message->has_heartbeat() ? "heartbeat" : message->has_images() ? "images" : "leaving";
  }

  boost::asio::io_context io;
  Outbox outbox{io.get_executor()};
};

TEST_F(OutboxTest, SendsOnlyTheNewestOfEachTaskInOrderOfChange) {
  put("b", v1::PREPARING);
  put("a", v1::PREPARING);
  put("b", v1::RUNNING);
  EXPECT_EQ(next(), "b:4");
  EXPECT_EQ(next(), "a:2");
  EXPECT_EQ(next(), "");
  put("a", v1::STARTING);
  EXPECT_EQ(next(), "a:3");
}

TEST_F(OutboxTest, TellsTheNextSessionAll) {
  put("a", v1::RUNNING);
  put("b", v1::RUNNING);
  outbox.put_images({});
  while (!next().empty()) continue;
  outbox.put_heartbeat({});
  outbox.begin_session();
  EXPECT_EQ(next(), "a:4");
  EXPECT_EQ(next(), "b:4");
  EXPECT_EQ(next(), "images");
  EXPECT_EQ(next(), "");  // an old heartbeat is no sign of life
}

TEST_F(OutboxTest, HeartbeatsOvertakeAndGoodbyesWait) {
  put("a", v1::RUNNING);
  outbox.put_leaving();
  outbox.put_heartbeat({});
  EXPECT_EQ(next(), "heartbeat");
  EXPECT_EQ(next(), "a:4");
  EXPECT_EQ(next(), "leaving");
}

TEST_F(OutboxTest, AnOlderSessionsWordAboutANetworkIsNotSaidInTheNext) {
  outbox.put_removed_network("net");
  EXPECT_EQ(outbox.next()->removed_network(), "net");
  outbox.put_removed_network("net");
  outbox.begin_session();
  EXPECT_EQ(next(), "");
}

TEST_F(OutboxTest, ForgetsATask) {
  put("a", v1::STOPPED);
  outbox.forget("a");
  EXPECT_EQ(next(), "");
  put("a", v1::ASSIGNED);
  EXPECT_EQ(next(), "a:1");
  EXPECT_EQ(next(), "");
  outbox.forget("a");
  outbox.begin_session();
  EXPECT_EQ(next(), "");
}

TEST_F(OutboxTest, WakesItsSender) {
  const auto seen = outbox.changed().count();
  put("a", v1::RUNNING);
  EXPECT_NE(outbox.changed().count(), seen);
}

}  // namespace
}  // namespace orchion::node::agent
