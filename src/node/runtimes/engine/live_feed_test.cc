#include "node/runtimes/engine/live_feed.h"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/channel.h"

namespace orchion::node::runtimes::engine {
namespace {

using std::chrono::seconds;

// What the engine says is put in by the test.
class Script final : public wire::RawStream {
 public:
  explicit Script(std::shared_ptr<base::Channel<std::string>> said) : said_(std::move(said)) {}

  base::Co<std::optional<std::string>> read() override { return said_->receive(); }
  base::Co<> write(std::string) override { co_return base::Result<>{}; }
  void end() override {}

 private:
  std::shared_ptr<base::Channel<std::string>> said_;
};

class LiveFeedTest : public testing::Test {
 protected:
  void begin(std::vector<ExecOutput> written = {}) {
    feed_ = LiveFeed::begin(io_.get_executor(), clock_, 1, std::move(written), std::make_unique<Script>(said_), true);
    settle();
  }

  void settle() {
    io_.restart();
    io_.poll();
  }

  void say(std::string text) {
    boost::asio::co_spawn(io_, said_->send(std::move(text)), [](std::exception_ptr, base::Result<>) {});
    settle();
  }

  using Said = base::Result<std::optional<ExecOutput>>;
  std::optional<Said> next(attach::AttachOutput& output) {
    auto said = std::make_shared<std::optional<Said>>();
    boost::asio::co_spawn(io_, output.next(), [said](std::exception_ptr, Said value) { *said = std::move(value); });
    settle();
    return *said;
  }
  std::string text(attach::AttachOutput& output) {
    const auto said = next(output);
    return said && *said && **said ? (**said)->out.value_or("") : "";
  }

  boost::asio::io_context io_;
  base::ManualClock clock_;
  std::shared_ptr<base::Channel<std::string>> said_ =
      std::make_shared<base::Channel<std::string>>(io_.get_executor(), 1000);
  std::shared_ptr<LiveFeed> feed_;
};

TEST_F(LiveFeedTest, EveryReaderHearsAllFromTheBeginning) {
  ExecOutput before;
  before.out = "before ";
  begin({before});
  say("prompt> ");
  const auto first = feed_->open_output();
  EXPECT_EQ(text(*first), "before ");
  EXPECT_EQ(text(*first), "prompt> ");
  const auto second = feed_->open_output();
  EXPECT_EQ(text(*second), "before ");
  said_->close();
  settle();
  EXPECT_TRUE(feed_->ended());
  EXPECT_EQ(text(*second), "prompt> ");
  const auto end = next(*second);
  EXPECT_TRUE(end && end->has_value() && !(*end)->has_value());
}

TEST_F(LiveFeedTest, NobodyHearsAndItGoesOn) {
  begin();
  for (int i = 0; i < 200; ++i) say(std::string(64 << 10, 'x'));
  const auto late = feed_->open_output();
  std::size_t bytes = 0;
  for (auto piece = text(*late); !piece.empty(); piece = bytes < (4 << 20) - (64 << 10) ? text(*late) : "") {
    bytes += piece.size();
  }
  EXPECT_GE(bytes, std::size_t{4 << 20} - (64 << 10)) << "as much as is kept";
}

TEST_F(LiveFeedTest, WaitsForASlowReaderAndNotForOneThatHasStopped) {
  begin();
  const auto reader = feed_->open_output();
  for (int i = 0; i < 100; ++i) say(std::to_string(i) + std::string(64 << 10, 'x'));
  std::string heard;
  for (int i = 0; i < 100; ++i) heard += text(*reader).substr(0, 3) + " ";
  EXPECT_EQ(heard.substr(0, 8), "0xx 1xx ");
  EXPECT_NE(heard.find("99x"), std::string::npos) << "nothing was lost";
  for (int i = 0; i < 100; ++i) say(std::to_string(i) + std::string(64 << 10, 'x'));
  for (int i = 0; i < 20; ++i) {
    clock_.advance(seconds(5));
    settle();
  }
  const auto said = next(*reader);
  ASSERT_TRUE(said.has_value());
  EXPECT_EQ(said->error().code, base::Code::kDataLoss);
}

}  // namespace
}  // namespace orchion::node::runtimes::engine
