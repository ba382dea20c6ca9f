// What the binary carries, written into real folders.

#include "cli/starters.h"

#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"

namespace orchion::cli {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

constexpr StarterFile kFiles[] = {
    {"b/compose.yaml", "# The second.\nservices: {web: {image: a}}\n"},
    {"a/README.md", "read me\n"},
    {"a/compose.yaml", "# The first.\nservices: {web: {image: a}}\nsecrets: {key: {file: ./secrets/key}}\n"},
    {"a/conf/app.conf", "x=1\n"}};

class StarterTest : public testing::Test {
 protected:
  StarterTest() {
    auto random = base::Random::from_system();
    folder_ = fs::temp_directory_path() / ("starter-" + random.text(8));
  }
  ~StarterTest() override { fs::remove_all(folder_); }

  fs::perms mode(const std::string& name) const { return fs::status(folder_ / name).permissions() & fs::perms::all; }

  fs::path folder_;
  Starter first_ = starters(kFiles).front();
};

TEST_F(StarterTest, FilesAreGroupedAndSummed) {
  const auto all = starters(kFiles);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[0].summary, "The first.");
  EXPECT_EQ(all[0].files.size(), 3u);
  EXPECT_THAT(all[0].secrets, ElementsAre("secrets/key"));
  EXPECT_EQ(all[1].name, "b");
  EXPECT_THAT(all[1].secrets, IsEmpty());
}

TEST_F(StarterTest, IsWrittenWithSecretsOfItsOwn) {
  const auto written = write_starter(first_, folder_ / "new" / "deeper");
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_THAT(*written, ElementsAre("README.md", "compose.yaml", "conf/app.conf", "secrets/key"));
  EXPECT_EQ(*base::read_file(folder_ / "new/deeper/conf/app.conf"), "x=1\n");
  const auto secret = *base::read_file(folder_ / "new/deeper/secrets/key");
  EXPECT_THAT(secret, MatchesRegex("[a-z2-7]{32}"));
  EXPECT_EQ(mode("new/deeper/secrets/key"), fs::perms(0600));
  EXPECT_EQ(mode("new/deeper/secrets"), fs::perms(0700));
  ASSERT_TRUE(write_starter(first_, folder_ / "other"));
  EXPECT_NE(*base::read_file(folder_ / "other/secrets/key"), secret);
}

TEST_F(StarterTest, NothingIsWrittenOver) {
  fs::create_directories(folder_);
  fs::create_symlink("/nowhere", folder_ / "README.md");
  std::ofstream(folder_ / "compose.yaml") << "mine";
  const auto written = write_starter(first_, folder_);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, base::Code::kAlreadyExists);
  EXPECT_THAT(written.error().message, HasSubstr("README.md, compose.yaml are there already"));
  EXPECT_EQ(*base::read_file(folder_ / "compose.yaml"), "mine");
  EXPECT_FALSE(fs::exists(folder_ / "secrets"));
}

TEST_F(StarterTest, WhatFailsHalfwayLeavesNoFile) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "secrets") << "a file, not a folder";
  EXPECT_FALSE(write_starter(first_, folder_));
  EXPECT_FALSE(fs::exists(folder_ / "compose.yaml"));
  EXPECT_FALSE(fs::exists(folder_ / "conf/app.conf"));
  EXPECT_EQ(*base::read_file(folder_ / "secrets"), "a file, not a folder");
}

TEST(Starters, EachHasWhatPeopleNeed) {
  const auto all = starters(embedded_starter_files());
  std::vector<std::string> names;
  for (const auto& starter : all) {
    SCOPED_TRACE(starter.name);
    names.push_back(starter.name);
    EXPECT_THAT(starter.summary, MatchesRegex("[A-Z].{10,90}\\."));
    EXPECT_THAT(starter.files, Contains(testing::Field(&StarterFile::path, "compose.yaml")));
    EXPECT_THAT(starter.files, Contains(testing::Field(&StarterFile::path, "README.md")));
    for (const auto& secret : starter.secrets) EXPECT_THAT(secret, testing::StartsWith("secrets/"));
    for (const auto& file : starter.files) EXPECT_THAT(file.text, testing::EndsWith("\n")) << file.path;
  }
  EXPECT_THAT(names, ElementsAre("gitea", "home-assistant", "jellyfin", "minio", "nextcloud", "ollama-open-webui",
                                 "prometheus-grafana", "static-site", "web-postgres-redis", "wordpress"));
}

}  // namespace
}  // namespace orchion::cli
