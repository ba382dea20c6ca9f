#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// The tasks' first processes are real ones, so that there is something to read: this test, and who started it.
class UsageStreamTest : public AgentLab {
 protected:
  UsageStreamTest() {
    server.full = assignments({task("a"), task("b", 2), task("c", 3)});
    runtime.real_pids = {{"a", ::getpid()}, {"b", ::getppid()}, {"c", 1 << 30}};
    start_agent();
    advance(seconds(1));
  }

  void want(std::vector<std::string> uids, std::uint32_t interval_ms) {
    v1::ToAgent message;
    message.mutable_stream()->set_id("stream-1");
    auto& usage = *message.mutable_stream()->mutable_usage();
    usage.mutable_task_uids()->Assign(uids.begin(), uids.end());
    usage.set_interval_ms(interval_ms);
    server.send(std::move(message));
    settle();
    ASSERT_NE(server.stream, nullptr);
    const auto first = finish(server.stream->receive());
    ASSERT_TRUE(first.has_value() && first->has_value());
  }

  // The uids of the next sample's tasks; "nothing" where there is none yet, "end" at the end.
  std::vector<std::string> next() {
    if (!received) {
      received = std::make_shared<std::optional<Received>>();
      boost::asio::co_spawn(io, server.stream->receive(),
                            [into = received](std::exception_ptr, Received message) { *into = std::move(message); });
    }
    settle();
    if (!*received) return {"nothing"};
    const auto message = std::move(**std::exchange(received, nullptr));
    EXPECT_TRUE(message.has_value());
    if (!message || !*message) return {"end"};
    sample = (*message)->usage();
    std::vector<std::string> uids;
    for (const auto& usage : sample.tasks()) uids.push_back(usage.task_uid());
    return uids;
  }

  using Received = base::Result<std::optional<v1::StreamFromAgent>>;
  std::shared_ptr<std::optional<Received>> received;  // what is awaited, from one call to the next
  v1::TaskUsages sample;
};

TEST_F(UsageStreamTest, OneSampleIsTwoReadingsApart) {
  want({"a", "b", "unknown"}, 0);
  EXPECT_THAT(next(), ElementsAre("nothing")) << "no rate without a second reading";
  advance(milliseconds(100));
  EXPECT_THAT(next(), ElementsAre("a", "b"));
  EXPECT_GT(sample.tasks(0).memory_bytes(), 1 << 20);
  EXPECT_GT(sample.tasks(0).cpu_nanoseconds(), 0u);
  EXPECT_GE(sample.tasks(0).processes(), 1u);
  EXPECT_EQ(sample.tasks(0).at().seconds(), std::chrono::floor<seconds>(clock.wall()).time_since_epoch().count());
  EXPECT_THAT(next(), ElementsAre("end"));
}

TEST_F(UsageStreamTest, SamplesComeAtTheIntervalUntilNobodyWantsThem) {
  want({"a"}, 1000);
  advance(milliseconds(100));
  EXPECT_THAT(next(), ElementsAre("a"));
  for (int i = 0; i < 3; ++i) {
    advance(milliseconds(i == 0 ? 899 : 999));
    EXPECT_THAT(next(), ElementsAre("nothing")) << i;
    advance(milliseconds(1));
    EXPECT_THAT(next(), ElementsAre("a")) << i;
  }
  server.stream.reset();
  advance(seconds(20));
  kill_agent();  // nothing of it is left to wait for
}

TEST_F(UsageStreamTest, ATaskThatEndedIsLeftOut) {
  want({"a", "b"}, 1000);
  advance(milliseconds(100));
  EXPECT_THAT(next(), ElementsAre("a", "b"));
  runtime.end("a", 0);
  advance(milliseconds(900));
  EXPECT_THAT(next(), ElementsAre("b"));
  runtime.end("b", 0);
  advance(seconds(1));
  EXPECT_THAT(next(), IsEmpty());
}

TEST_F(UsageStreamTest, AProcessThatIsGoneBeforeItsTaskSaysSoIsLeftOut) {
  want({"c", "b"}, 0);
  EXPECT_EQ(state("c"), v1::RUNNING);
  advance(milliseconds(100));
  EXPECT_THAT(next(), ElementsAre("b"));
}

}  // namespace
}  // namespace orchion::node::agent
