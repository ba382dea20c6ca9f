#include "control/auth/shared_identity.h"

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/random.h"
#include "control/store/memory/memory_store.h"

namespace orchion::control::auth {
namespace {

using base::Code;

class SharedIdentityTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(base::make_folders(root_)); }
  ~SharedIdentityTest() override { (void)base::remove_tree(root_); }

  std::filesystem::path folder(const std::string& name) {
    const auto path = root_ / name;
    EXPECT_TRUE(base::make_folders(path));
    return path;
  }
  base::Result<> share(const std::filesystem::path& data) {
    base::Result<> result;
    boost::asio::co_spawn(io_, share_identity(store_, data, base::SystemClock().wall()),
                          [&](std::exception_ptr, base::Result<> ended) { result = std::move(ended); });
    io_.restart();
    io_.run();
    return result;
  }
  static void copy_secret(const std::filesystem::path& from, const std::filesystem::path& to) {
    ASSERT_TRUE(
        base::write_file_durably(to / "cluster-secret", base::read_file(from / "cluster-secret").value(), 0600));
  }

  boost::asio::io_context io_;
  store::MemoryStore store_{io_.get_executor(), "e"};
  std::filesystem::path root_ = std::filesystem::path(testing::TempDir()) / base::Random::from_system().text(10);
};

TEST_F(SharedIdentityTest, TheFirstGivesItAndTheOthersTakeIt) {
  const auto first = folder("first"), second = folder("second");
  ASSERT_TRUE(share(first));
  copy_secret(first, second);
  const auto shared = share(second);
  ASSERT_TRUE(shared) << shared.error().message;
  EXPECT_EQ(read_identity(second)->SerializeAsString(), read_identity(first)->SerializeAsString());
  struct stat info{};
  ASSERT_EQ(::stat((second / "authority/key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(share(second)) << "again, at each start";
  EXPECT_TRUE(share(first));
}

TEST_F(SharedIdentityTest, TheStoreHasNoKeyInTheClear) {
  const auto first = folder("first");
  ASSERT_TRUE(share(first));
  std::optional<store::Entry> entry;
  boost::asio::co_spawn(io_, store_.get("cluster/identity"),
                        [&](std::exception_ptr, auto got) { entry = std::move(*got); });
  io_.restart();
  io_.run();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value.find("PRIVATE KEY"), std::string::npos);
  EXPECT_EQ(entry->value.find(read_identity(first)->cluster_id()), std::string::npos);
}

TEST_F(SharedIdentityTest, AServerThatHadNoneBeforeKeepsItsOwn) {
  const auto first = folder("first");
  ASSERT_TRUE(base::write_file_durably(first / "cluster-id", "aaaabbbbcccc\n"));
  ASSERT_TRUE(share(first));
  EXPECT_EQ(read_identity(first)->cluster_id(), "aaaabbbbcccc");
}

TEST_F(SharedIdentityTest, WithoutTheSecretNobodyJoins) {
  const auto first = folder("first"), second = folder("second"), third = folder("third");
  ASSERT_TRUE(share(first));
  const auto missing = share(second);
  EXPECT_EQ(missing.error().code, Code::kFailedPrecondition);
  EXPECT_NE(missing.error().message.find("copy the file cluster-secret"), std::string::npos) << missing.error().message;
  EXPECT_FALSE(std::filesystem::exists(second / "authority"));
  ASSERT_TRUE(base::write_file_durably(third / "cluster-secret", "orc_" + std::string(52, 'a') + "\n", 0600));
  const auto wrong = share(third);
  EXPECT_NE(wrong.error().message.find("is not the secret of the cluster"), std::string::npos) << wrong.error().message;
  copy_secret(first, second);
  ASSERT_EQ(::chmod((second / "cluster-secret").c_str(), 0644), 0);
  EXPECT_NE(share(second).error().message.find("can be read by others"), std::string::npos);
}

TEST_F(SharedIdentityTest, AnotherClustersFolderIsLeftAsItIs) {
  const auto first = folder("first"), second = folder("second");
  ASSERT_TRUE(share(first));
  ASSERT_TRUE(base::write_file_durably(second / "cluster-id", "aaaabbbbcccc\n"));
  copy_secret(first, second);
  const auto refused = share(second);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("another cluster's"), std::string::npos) << refused.error().message;
  EXPECT_EQ(base::read_file(second / "cluster-id"), "aaaabbbbcccc\n");
  EXPECT_FALSE(std::filesystem::exists(second / "authority"));
}

}  // namespace
}  // namespace orchion::control::auth
