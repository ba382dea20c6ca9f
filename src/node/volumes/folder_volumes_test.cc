#include "node/volumes/folder_volumes.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/file.h"
#include "base/random.h"

namespace orchion::node::volumes {
namespace {

template <class T>
base::Result<T> run(boost::asio::io_context& io, base::Co<T> coroutine) {
  auto future = boost::asio::co_spawn(io, std::move(coroutine), boost::asio::use_future);
  io.restart();
  const auto guard = boost::asio::make_work_guard(io);
  while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) io.run_one();
  return future.get();
}

class FolderVolumesTest : public testing::Test {
 protected:
  ~FolderVolumesTest() override { (void)base::remove_tree(folder_); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("orchion-volumes-" + base::Random::from_system().text(10));
  boost::asio::io_context io_;
  base::WorkerPool workers_{1};
  FolderVolumes volumes_{workers_, folder_};
};

TEST_F(FolderVolumesTest, KeepsDataBetweenCallsAndTheModeItsOwnerGaveIt) {
  const auto path = run(io_, volumes_.ensure("vaaa")).value();
  EXPECT_EQ(path, folder_ / "vaaa" / "data");
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);
  std::ofstream(path / "file") << "kept";
  ASSERT_EQ(::chmod(path.c_str(), 0700), 0);

  EXPECT_EQ(run(io_, volumes_.ensure("vaaa")).value(), path);
  EXPECT_EQ(base::read_file(path / "file").value(), "kept");
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(FolderVolumesTest, ListsAndRemovesWhole) {
  EXPECT_TRUE(run(io_, volumes_.list()).value().empty());
  ASSERT_TRUE(run(io_, volumes_.ensure("vb")).has_value());
  ASSERT_TRUE(run(io_, volumes_.ensure("va")).has_value());
  EXPECT_EQ(run(io_, volumes_.list()).value(), (std::vector<std::string>{"va", "vb"}));
  ASSERT_TRUE(run(io_, volumes_.remove("va")).has_value());
  ASSERT_TRUE(run(io_, volumes_.remove("va")).has_value()) << "removing twice is no error";
  EXPECT_EQ(run(io_, volumes_.list()).value(), (std::vector<std::string>{"vb"}));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "va"));
}

TEST_F(FolderVolumesTest, RefusesNamesThatLeadElsewhere) {
  for (const char* uid : {"", ".", "..", "../x", "a/b", "/etc", ".removing-x"}) {
    const auto result = run(io_, volumes_.ensure(uid));
    ASSERT_FALSE(result.has_value()) << uid;
    EXPECT_EQ(result.error().code, base::Code::kInvalidArgument) << uid;
    EXPECT_FALSE(run(io_, volumes_.remove(uid)).has_value()) << uid;
  }
}

TEST(FakeVolumes, BehavesLikeTheRealOneWithoutAFileSystem) {
  boost::asio::io_context io;
  FakeVolumes volumes;
  EXPECT_EQ(run(io, volumes.ensure("va")).value(), "/volumes/va/data");
  EXPECT_EQ(run(io, volumes.list()).value(), (std::vector<std::string>{"va"}));
  EXPECT_FALSE(run(io, volumes.ensure("../va")).has_value());
  ASSERT_TRUE(run(io, volumes.remove("va")).has_value());
  EXPECT_TRUE(run(io, volumes.list()).value().empty());
}

}  // namespace
}  // namespace orchion::node::volumes
