#include "node/agent/last_output.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "node/logs/segment.h"

namespace orchion::node::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LastOutputTest, KeepsTheNewestLinesThatSaySomething) {
  EXPECT_THAT(presentable({"one", "two", "", "three", "four", "  ", "five", "six"}, {}),
              ElementsAre("two", "three", "four", "five", "six"));
  EXPECT_THAT(presentable({}, {}), IsEmpty());
  EXPECT_THAT(presentable({"  at main.c:3  "}, {}), ElementsAre("  at main.c:3"));
}

TEST(LastOutputTest, HasNoOrdersForATerminal) {
  const struct {
    const char* before;
    const char* after;
  } rows[] = {
      {"\x1b[31;1mred\x1b[0m", "red"},
      {"\x1b]0;a title\x07text", "text"},
      {"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
      {"\x1bPdevice\x1b\\after", "after"},
      {"\x1b(Bplain\x1b=", "plain"},
      {"10 %\r50 %\r100 %\r", "100 %"},
      {"bell\x07 and\x7f back\x08space", "bell and backspace"},
      {"a\tb", "a b"},
      {"c1 \xc2\x9b\x33mstays text", "c1 3mstays text"},
      {"ümläut \xf0\x9f\x98\x80", "ümläut \xf0\x9f\x98\x80"},
      {"cut short \x1b[3", "cut short"},
      {"cut shorter \x1b", "cut shorter"},
  };
  for (const auto& row : rows) EXPECT_THAT(presentable({row.before}, {}), ElementsAre(row.after));
  EXPECT_THAT(presentable({"\x1b[2J", "\x1b]0;unfinished"}, {}), IsEmpty());
}

TEST(LastOutputTest, IsShort) {
  const std::string wide(900, 'a');
  const auto lines = presentable({"first", wide, wide}, {});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], wide);
  EXPECT_EQ(lines[0].size(), kLastBytesMax - wide.size());
  EXPECT_TRUE(lines[0].ends_with("…"));

  std::string letters;
  for (int i = 0; i < 2000; ++i) letters += "ü";
  const auto cut = presentable({letters}, {});
  EXPECT_LE(cut[0].size(), kLastBytesMax);
  EXPECT_TRUE(cut[0].ends_with("ü…"));
}

TEST(LastOutputTest, HasNoSecretOfItsTask) {
  v1::TaskAssignment assignment;
  auto& container = *assignment.mutable_container();
  const auto set = [&](const char* name, const char* value) {
    auto& variable = *container.add_environment();
    variable.set_name(name);
    variable.set_value(value);
  };
  set("DB_PASSWORD", "swordfish");
  set("api_token", "swordfish-and-more");
  set("LANG", "C.UTF-8");
  set("SECRET_MODE", "on");
  set("PIN", "042");
  assignment.add_secret_variables("PIN");
  auto& key = *container.add_files();
  key.set_in_memory(true);
  key.set_content("-----BEGIN-----\nabcdefghijkl\n");
  auto& config = *container.add_files();
  config.set_content("in the open");

  const auto secrets = secret_values(assignment);
  EXPECT_THAT(presentable({"with swordfish-and-more", "\x1b[1mswo\x1b[0mrdfish!", "line abcdefghijkl of it",
                           "C.UTF-8 is on, in the open", "1042 of them"},
                          secrets),
              ElementsAre("with <redacted>", "<redacted>!", "line <redacted> of it", "C.UTF-8 is on, in the open",
                          "1<redacted> of them"));
}

TEST(LastOutputTest, IsOfTheAttemptAlone) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("orchion-last-output-" + base::Random::from_system().text(10));
  ASSERT_TRUE(base::make_folders(folder).has_value());
  std::ofstream file(folder / "00000001.log", std::ios::binary);
  const auto say = [&](std::uint16_t attempt, const std::string& text) {
    logs::RecordHeader header;
    header.length = static_cast<std::uint32_t>(text.size());
    header.attempt = attempt;
    file.write(reinterpret_cast<const char*>(&header), sizeof header).write(text.data(), std::ssize(text));
  };
  say(1, "of the first\nunfinished");
  say(2, "of the second\nand cut");
  file.close();
  EXPECT_THAT(last_output(folder, 1, {}), ElementsAre("of the first", "unfinished"));
  EXPECT_THAT(last_output(folder, 2, {}), ElementsAre("of the second", "and cut"));
  EXPECT_THAT(last_output(folder, 3, {}), IsEmpty());
  EXPECT_THAT(last_output(folder / "nowhere", 1, {}), IsEmpty());
  ASSERT_TRUE(base::remove_tree(folder).has_value());
}

}  // namespace
}  // namespace orchion::node::agent
