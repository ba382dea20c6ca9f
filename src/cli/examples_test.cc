#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_tree.h"

namespace orchion::cli {
namespace {

// The words of "  orchion ps -a    ended ones too", without the explanation and without what is the shell's.
std::string command_of(const std::string& line) {
  auto text = line.substr(line.find("orchion"));
  for (const char* end : {"  ", ")", " |", " >", " <"}) text = text.substr(0, text.find(end));
  return text.substr(std::string("orchion").size());
}

class ExamplesTest : public testing::Test {
 protected:
  ExamplesTest() : tree_("", "orchion") {
    add_global_options(tree_, globals_, output_);
    add_commands(tree_, hooks_);
  }

  // Its examples come first, and each is understood.
  void check(CLI::App& command) {
    SCOPED_TRACE(command.get_name());
    const auto help = command.help();
    const auto examples = help.find("\nExamples:\n");
    ASSERT_NE(examples, std::string::npos) << help;
    EXPECT_LT(examples, help.find("Usage:"));
    std::istringstream lines(command.get_footer());
    int count = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("orchion") == std::string::npos) continue;
      ++count;
      EXPECT_NO_THROW(tree_.root().parse(command_of(line))) << line;
      EXPECT_TRUE(tree_.action()) << line;
    }
    EXPECT_GE(count, 1);
    for (auto* below : command.get_subcommands([](const CLI::App*) { return true; })) check(*below);
  }

  CliHooks hooks_;
  GlobalOptions globals_;
  std::string output_;
  CommandTree tree_;
};

TEST_F(ExamplesTest, BeginTheHelpOfEveryCommandAndAreUnderstood) {
  check(tree_.root());
}

}  // namespace
}  // namespace orchion::cli
