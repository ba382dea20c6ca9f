#include "node/shim/record.h"

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/cgroup_files.h"
#include "node/shim/process_identity.h"

namespace orchion::node::shim {
namespace {

TEST(Record, HoldsNamesAndValues) {
  RecordWriter writer;
  writer.add("name", "a value = with an equals sign");
  writer.add("number", -42);
  writer.add("name", "second");
  writer.add("empty", "");
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(find_text(writer.text(), "name"), "a value = with an equals sign");
  EXPECT_EQ(find_number(writer.text(), "number", 0), -42);
  EXPECT_EQ(find_number(writer.text(), "name", 7), 7) << "not a number";
  EXPECT_EQ(find_number(writer.text(), "absent", 9), 9);
  EXPECT_EQ(find_text(writer.text(), "num"), "") << "names are whole";
  std::size_t position = 0;
  std::string_view value;
  int count = 0;
  while (next_value(writer.text(), "name", position, value)) ++count;
  EXPECT_EQ(count, 2);
  EXPECT_EQ(value, "second");
}

// What of it is missing after a power cut would be read as "/", "" and all processes of the machine.
TEST(Settings, AreWholeOrNothing) {
  RecordWriter writer;
  writer.add(setting::kRuntimeRoot, "/run/orchion-x/crun");
  writer.add(setting::kId, "a1b2");
  writer.add(setting::kLogFolder, "/var/lib/orchion/logs/a1b2");
  writer.add(setting::kCgroup, "/orchion-x/a1b2");
  writer.add(setting::kShimCgroup, "/orchion-x/shims");
  const std::string whole(writer.text());
  EXPECT_TRUE(is_whole_settings(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(is_whole_settings(whole.substr(0, size))) << size;
    EXPECT_FALSE(is_whole_settings(whole.substr(0, size) + std::string(whole.size() - size, '\0'))) << size;
  }
  RecordWriter empty;
  for (const auto* name :
       {setting::kRuntimeRoot, setting::kId, setting::kLogFolder, setting::kCgroup, setting::kShimCgroup})
    empty.add(name, "");
  EXPECT_FALSE(is_whole_settings(empty.text()));
}

TEST(Record, AValueCannotForgeALine) {
  RecordWriter writer;
  writer.add("reason", "x\ncode=0");
  EXPECT_EQ(find_text(writer.text(), "code"), "");
  EXPECT_EQ(find_text(writer.text(), "reason"), "x code=0");
}

TEST(Record, TooMuchIsToldNotCut) {
  RecordWriter writer;
  writer.add("long", std::string(20000, 'x'));
  EXPECT_FALSE(writer.ok());
}

TEST(SmallFile, IsReplacedWhole) {
  char folder[] = "/tmp/orchion-record-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const int fd = ::open(folder, O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(replace_small_file(fd, "file", "one", Durability::kPageCache), 0);
  EXPECT_EQ(replace_small_file(fd, "file", "two", Durability::kDisk), 0);
  char text[16];
  const auto size = read_small_file(fd, "file", text, sizeof text);
  EXPECT_EQ(std::string_view(text, static_cast<std::size_t>(size)), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1) << "nothing is left beside it";
  EXPECT_EQ(read_small_file(fd, "missing", text, sizeof text), -1);
  ::close(fd);
  std::filesystem::remove_all(folder);
}

TEST(ProcessIdentity, TellsProcessesApart) {
  EXPECT_GT(process_start(::getpid()), 0);
  EXPECT_EQ(process_start(0), 0);
  EXPECT_EQ(parse_process_start("12 (a (b) c) S 1 12 12 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 987654 99 5"), 987654);
  EXPECT_EQ(parse_process_start("12 (dead) Z 1 12 12 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 987654 99 5"), 0);
  EXPECT_EQ(parse_process_start("garbage"), 0);
  char buffer[kBootIdBytes];
  EXPECT_EQ(boot_id(buffer).size(), 36u);
}

TEST(Cgroups, CountOomKillsInBothVersions) {
  EXPECT_EQ(oom_kills("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), 2);
  EXPECT_EQ(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), 1);
  EXPECT_EQ(oom_kills("oom_kill_disable 0\nunder_oom 0\n"), 0);
  EXPECT_EQ(oom_kills(""), 0);
}

TEST(Cgroups, AHierarchyIsNoGroup) {
  EXPECT_FALSE(remove_cgroup("/nowhere", ""));
  EXPECT_FALSE(remove_cgroup("/nowhere", "/"));
}

TEST(Cgroups, GroupsAreEnteredAndRemovedWithWhatRunsInThem) {
  // A folder stands in for a hierarchy where no cgroup may be made: removal must cope with plain folders too.
  char folder[] = "/tmp/orchion-cgroup-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  std::filesystem::create_directories(std::string(folder) + "/a/b/c");
  EXPECT_TRUE(remove_cgroup(folder, "/a/b"));
  EXPECT_FALSE(std::filesystem::exists(std::string(folder) + "/a/b"));
  EXPECT_TRUE(remove_cgroup(folder, "/a/b")) << "nothing there is no error";
  EXPECT_TRUE(remove_cgroup(folder, "/a"));
  EXPECT_TRUE(enter_cgroup(std::string(folder) + "/cpuset", "/x")) << "cpusets are left out";
  EXPECT_FALSE(std::filesystem::exists(std::string(folder) + "/cpuset"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace orchion::node::shim
