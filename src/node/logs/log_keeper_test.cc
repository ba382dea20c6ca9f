#include "node/logs/log_keeper.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "node/logs/segment_file.h"
#include "node/logs/segment_writer.h"

namespace orchion::node::logs {
namespace {

class LogKeeperTest : public testing::Test {
 protected:
  LogKeeperTest() { start(); }
  ~LogKeeperTest() override {
    keeper_.reset();
    (void)base::remove_tree(root_);
  }

  void start(LogKeeperOptions options = {}) {
    keeper_.reset();
    options.folder = root_ / "gone";
    auto started = LogKeeper::start(clock_, options);
    if (!started) throw std::runtime_error(started.error().message);
    keeper_ = *std::move(started);
  }

  // Three segments and something of a fourth.
  std::filesystem::path write(const std::string& uid) {
    const auto folder = root_ / "logs" / uid;
    auto writer = SegmentWriter::open(folder, {.segment_bytes = 10'000}).value();
    for (int i = 0; i < 350; ++i)
      EXPECT_TRUE(writer.append(OutputStream::kOut, std::string(80, 'x') + "\n", clock_.wall(), 1).has_value());
    EXPECT_EQ(list_segments(folder).value().size(), 4u);
    return folder;
  }

  static v1::LogSource source(const std::string& uid) {
    v1::LogSource result;
    result.set_task_uid(uid);
    result.set_service("web");
    return result;
  }

  static std::size_t sealed_in(const std::filesystem::path& folder) {
    std::size_t count = 0;
    const auto numbers = list_segments(folder).value();
    for (const auto number : numbers) count += SegmentFile::open(folder, number).value().is_sealed() ? 1 : 0;
    return count;
  }

  std::vector<std::string> gone() const {
    std::vector<std::string> uids;
    for (const auto& log : keeper_->gone()) uids.push_back(log.source.task_uid());
    return uids;
  }

  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("orchion-keeper-" + base::Random::from_system().text(10));
  base::ManualClock clock_;  // is turned while the keeper has nothing to do
  std::unique_ptr<LogKeeper> keeper_;
};

using Uids = std::vector<std::string>;

TEST_F(LogKeeperTest, SealsWhatIsClosedAndLeavesTheNewestToItsWriter) {
  const auto folder = write("t1");
  keeper_->attend(folder);
  keeper_->finish_work();
  EXPECT_EQ(sealed_in(folder), 3u);
  auto writer = SegmentWriter::open(folder, {.segment_bytes = 10'000}).value();
  ASSERT_TRUE(writer.append(OutputStream::kOut, "later\n", clock_.wall(), 2).has_value());
  keeper_->finish_work();
  EXPECT_EQ(sealed_in(folder), 4u) << "a new segment tells that the one before is closed";
}

TEST_F(LogKeeperTest, KeepsWhatGoneTasksSaidOverARestart) {
  const auto folder = write("t1");
  ASSERT_TRUE(keeper_->keep(source("t1"), folder).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder));
  keeper_->finish_work();
  start();
  ASSERT_EQ(keeper_->gone().size(), 1u);
  const auto kept = keeper_->gone()[0];
  EXPECT_EQ(kept.source.service(), "web");
  EXPECT_EQ(sealed_in(kept.folder), 4u) << "the newest too: nobody writes it any more";
  ASSERT_TRUE(keeper_->keep(source("t2"), root_ / "logs" / "nothing").has_value());
  EXPECT_EQ(gone(), Uids{"t1"});
}

TEST_F(LogKeeperTest, ForgetsByAgeByBytesAndByNumber) {
  for (const std::string uid : {"t1", "t2", "t3"}) {
    ASSERT_TRUE(keeper_->keep(source(uid), write(uid)).has_value());
    keeper_->finish_work();
    clock_.advance(std::chrono::hours(1));
  }
  keeper_->finish_work();
  EXPECT_EQ(gone(), (Uids{"t1", "t2", "t3"}));
  start({.keep_for = std::chrono::minutes(150)});
  keeper_->finish_work();
  EXPECT_EQ(gone(), (Uids{"t2", "t3"}));
  EXPECT_FALSE(std::filesystem::exists(root_ / "gone" / "t1"));
  start({.tasks_max = 1});
  keeper_->finish_work();
  EXPECT_EQ(gone(), Uids{"t3"});
  start({.bytes_max = 10});
  keeper_->finish_work();
  EXPECT_EQ(gone(), Uids());
}

TEST_F(LogKeeperTest, KeepsNothingWhereNothingIsWanted) {
  start({.keep_for = base::Duration::zero()});
  const auto folder = write("t1");
  ASSERT_TRUE(keeper_->keep(source("t1"), folder).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_EQ(gone(), Uids());
}

TEST_F(LogKeeperTest, WhatCannotBeKeptHoldsNoTaskUp) {
  const auto folder = write("t1");
  // A file where the folder of gone tasks was: nothing can be moved there.
  ASSERT_TRUE(base::remove_tree(root_ / "gone").has_value());
  ASSERT_TRUE(base::write_file(root_ / "gone", "").has_value());
  EXPECT_TRUE(keeper_->keep(source("t1"), folder).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_EQ(gone(), Uids());
}

TEST_F(LogKeeperTest, WhatIsDamagedIsRemoved) {
  std::filesystem::create_directories(root_ / "gone" / "odd");
  ASSERT_TRUE(base::write_file(root_ / "gone" / "odd" / "source", "\xff\xff").has_value());
  start();
  EXPECT_EQ(gone(), Uids());
  EXPECT_FALSE(std::filesystem::exists(root_ / "gone" / "odd"));
}

}  // namespace
}  // namespace orchion::node::logs
