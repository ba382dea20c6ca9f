#include "node/agent/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/random.h"

namespace orchion::node::agent {
namespace {

class CheckpointFolderTest : public testing::Test {
 protected:
  ~CheckpointFolderTest() override { EXPECT_TRUE(base::remove_tree(path).has_value()); }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    boost::asio::co_spawn(io, std::move(coroutine),
                          [&](std::exception_ptr, base::Result<T> value) { result = std::move(value); });
    io.restart();
    while (!result) io.run_one();
    return std::move(*result);
  }

  v1::TaskCheckpoint task(const std::string& uid) {
    v1::TaskCheckpoint checkpoint;
    checkpoint.mutable_assignment()->mutable_task()->mutable_meta()->set_uid(uid);
    checkpoint.mutable_status()->set_attempt(3);
    return checkpoint;
  }

  boost::asio::io_context io;
  // A worker's answer comes from another thread.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  base::WorkerPool workers{2};
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("orchion-checkpoint-" + base::Random::from_system().text(10));
  CheckpointFolder folder{path, &workers};
};

TEST_F(CheckpointFolderTest, KeepsWhatWasSaved) {
  EXPECT_TRUE(run(folder.load())->tasks.empty());
  v1::AgentIdentity identity;
  identity.set_node_uid("uid");
  ASSERT_TRUE(run(folder.save_identity(identity)).has_value());
  ASSERT_TRUE(run(folder.save_task(task("a"), Durability::kDisk)).has_value());
  ASSERT_TRUE(run(folder.save_task(task("b"), Durability::kPageCache)).has_value());
  ASSERT_TRUE(run(folder.remove_task("b")).has_value());
  v1::NetworkCheckpoint networks;
  networks.add_networks()->set_uid("net");
  ASSERT_TRUE(run(folder.save_networks(networks)).has_value());
  const auto content = run(folder.load()).value();
  EXPECT_EQ(content.identity.node_uid(), "uid");
  ASSERT_EQ(content.tasks.size(), 1u);
  EXPECT_EQ(content.tasks[0].status().attempt(), 3u);
  EXPECT_EQ(content.networks.networks(0).uid(), "net");
}

TEST_F(CheckpointFolderTest, RemovesHalfWrittenFiles) {
  ASSERT_TRUE(run(folder.load()).has_value());
  ASSERT_TRUE(base::write_file(path / "tasks" / "a.checkpoint.Xy12Zw", "half").has_value());
  EXPECT_TRUE(run(folder.load())->tasks.empty());
  EXPECT_TRUE(std::filesystem::is_empty(path / "tasks"));
}

TEST_F(CheckpointFolderTest, NoFlippedBitGoesUnnoticed) {
  auto bytes = frame(task("some-uid"));
  v1::TaskCheckpoint read;
  ASSERT_TRUE(unframe(bytes, read).has_value());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(unframe(bytes, read).has_value()) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(unframe(std::string_view(bytes).substr(0, length), read).has_value()) << length;
}

TEST_F(CheckpointFolderTest, SaysWhichFileIsDamagedAndHowToGoOn) {
  ASSERT_TRUE(run(folder.load()).has_value());
  ASSERT_TRUE(base::write_file(path / "identity", "rubbish").has_value());
  const auto loaded = run(folder.load());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, base::Code::kDataLoss);
  EXPECT_THAT(loaded.error().message, testing::HasSubstr("run `mv " + (path / "identity").string()));
}

}  // namespace
}  // namespace orchion::node::agent
