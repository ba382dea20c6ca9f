#include "client/contexts.h"

#include <sys/stat.h>

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "client/connection.h"

namespace orchion::client {
namespace {

class ContextsTest : public testing::Test {
 protected:
  ContextsTest() {
    auto random = base::Random::from_system();
    folder_ = std::filesystem::temp_directory_path() / ("contexts-" + random.text(8));
    for (const auto* name : {"ORCHION_SERVER", "ORCHION_TOKEN", "ORCHION_DATA"}) ::unsetenv(name);
    std::filesystem::create_directories(folder_);
    (void)base::write_file(folder_ / "token", "secret\n");
    (void)write_contexts(file(), {{{"nas", "http://10.0.0.7:4600", (folder_ / "token").string()}}, "nas"});
    settings_.contexts = file();
  }
  ~ContextsTest() override {
    for (const auto* name : {"ORCHION_SERVER", "ORCHION_DATA"}) ::unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path file() const { return folder_ / "config/orchion/contexts.json"; }
  std::string server() const { return find_connection(settings_)->description; }

  std::filesystem::path folder_;
  ConnectionSettings settings_;
};

TEST_F(ContextsTest, AreReadAsTheyWereWritten) {
  const Contexts contexts{{{"attic", "unix:/run/o.sock", ""}, {"nas", "http://10.0.0.7:4600", "/t"}}, "attic"};
  ASSERT_TRUE(write_contexts(file(), contexts));
  EXPECT_EQ(*read_contexts(file()), contexts);
  struct stat status{};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(*read_contexts(folder_ / "none"), Contexts());
}

TEST_F(ContextsTest, AFileThatIsSomethingElseIsRefused) {
  for (const auto* text : {"", "[]", "{}", R"({"contexts":[{"name":1}]})", R"({"contexts":["nas"]})"}) {
    ASSERT_TRUE(base::write_file(file(), text));
    EXPECT_THAT(read_contexts(file()).error().message, testing::HasSubstr("mend or remove it")) << text;
    EXPECT_FALSE(find_connection(settings_)) << "no other server is talked to instead";
  }
}

TEST_F(ContextsTest, TheCurrentOneStandsForAServerThatNobodyNamed) {
  const auto connection = find_connection(settings_);
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->description, "http://10.0.0.7:4600");
  EXPECT_EQ(connection->token, "secret");
  EXPECT_TRUE(connection->named);
  ::setenv("ORCHION_SERVER", "http://10.0.0.8:4600", 1);
  EXPECT_EQ(server(), "http://10.0.0.8:4600");
  EXPECT_EQ(find_connection(settings_)->token, "") << "a token goes only to the server it was named for";
  settings_.server = "http://10.0.0.9:4600";
  EXPECT_EQ(server(), "http://10.0.0.9:4600");
}

TEST_F(ContextsTest, AFolderThatWasNamedIsMeant) {
  settings_.data = (folder_ / "data").string();
  EXPECT_EQ(server(), "unix:" + (folder_ / "data/orchion.sock").string());
  EXPECT_FALSE(find_connection(settings_)->named);
  settings_.data.reset();
  ::setenv("ORCHION_DATA", (folder_ / "other").c_str(), 1);
  EXPECT_EQ(server(), "unix:" + (folder_ / "other/orchion.sock").string());
}

TEST_F(ContextsTest, NoneIsUsedWhereNoneIsCurrentOrTheyAreNotAskedFor) {
  settings_.contexts.reset();
  EXPECT_EQ(server(), "unix:" + (default_data_folder() / "orchion.sock").string());
  settings_.contexts = file();
  ASSERT_TRUE(write_contexts(file(), {{{"nas", "http://10.0.0.7:4600", ""}}, ""}));
  EXPECT_EQ(server(), "unix:" + (default_data_folder() / "orchion.sock").string());
  ASSERT_TRUE(write_contexts(file(), {{{"nas", "http://10.0.0.7:4600", ""}}, "gone"}));
  EXPECT_THAT(find_connection(settings_).error().message, testing::HasSubstr("no context gone"));
}

}  // namespace
}  // namespace orchion::client
