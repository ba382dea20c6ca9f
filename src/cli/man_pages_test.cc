#include "cli/man_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "base/process.h"
#include "cli/command_tree.h"

namespace orchion::cli {
namespace {

using testing::HasSubstr;

class ManPages : public testing::Test {
 protected:
  ManPages() : tree_("Runs things", "orchion") {
    add_stack_commands(tree_);
    add_task_commands(tree_);
    add_node_commands(tree_, hooks_);
    add_image_commands(tree_);
    add_channel_commands(tree_);
    add_network_commands(tree_);
    add_server_commands(tree_, hooks_);
    add_tool_commands(tree_, hooks_);
    add_examples(tree_.root());
    pages_ = man_pages(tree_.root(), "1.2.3");
  }

  CliHooks hooks_;
  CommandTree tree_;
  std::map<std::string, std::string> pages_;
};

TEST_F(ManPages, OneForEachCommand) {
  EXPECT_THAT(pages_.at("orchion.1"), HasSubstr("\\fBorchion\\-node\\fR(1)\nMachines of the cluster\n"));
  const auto& page = pages_.at("orchion-node-rm.1");
  EXPECT_THAT(page, testing::StartsWith(".TH \"ORCHION\\-NODE\\-RM\" 1 \"\" \"orchion 1.2.3\" \"orchion\"\n"));
  EXPECT_THAT(page, HasSubstr(".SH NAME\norchion\\-node\\-rm \\- Take it out of the cluster\n"));
  EXPECT_THAT(page, HasSubstr("\\fBorchion node rm\\fR [\\fIOPTIONS\\fR] \\fINODE\\fR\n"));
  EXPECT_THAT(page, HasSubstr(".TP\n\\fB\\-\\-force\\fR\nAlso while it has tasks\n"));
  EXPECT_THAT(pages_.at("orchion-man.1"), HasSubstr(".SH EXAMPLES\n.nf\n  orchion man | man \\-l \\-"));
}

TEST_F(ManPages, TextCannotBecomeACommandOfRoff) {
  CLI::App odd(".x\n'y \\z", "odd");
  EXPECT_THAT(man_pages(odd, "").at("odd.1"), HasSubstr("odd \\- \\&.x\n\\&'y \\ez\n"));
}

TEST_F(ManPages, GroffHasNothingToSay) {
  for (const auto& [name, text] : pages_) {
    const auto set = base::run_process({.arguments = {"groff", "-man", "-ww", "-Tutf8"}, .standard_input = text});
    ASSERT_TRUE(set);
    EXPECT_EQ(set->exit_code, 0) << name;
    EXPECT_EQ(set->standard_error, "") << name;
  }
}

}  // namespace
}  // namespace orchion::cli
