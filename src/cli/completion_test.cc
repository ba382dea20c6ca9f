#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "base/process.h"

namespace orchion::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    root_.fallthrough();
    root_.add_option("--stack", text_, "The stack");
    root_.add_option("-o,--output", text_, "Format")->type_name("{table,json}");
    auto* scale = root_.add_subcommand("scale", "Change how many\nmore");
    scale->add_option("TARGET", texts_, "What");
    auto* node = root_.add_subcommand("node", "Nodes");
    auto* rm = node->add_subcommand("rm", "Remove");
    rm->add_option("NODE", text_, "Which");
    rm->add_flag("--force", flag_, "Also while it has tasks");
    auto* job = root_.add_subcommand("job", "Jobs");
    auto* run = job->add_subcommand("run", "Run");
    run->add_option("JOB", text_, "Which");
    run->add_option("COMMAND", texts_, "What");
    job->add_subcommand("logs", "Logs")->add_option("RUN", text_, "Which");
    auto* network = root_.add_subcommand("network", "Networks");
    network->add_subcommand("rm", "Remove")->add_option("NETWORK", texts_, "Which");
    auto* connect = network->add_subcommand("connect", "Connect");
    connect->add_option("NETWORK", text_, "Which");
    connect->add_option("SERVICE", text_, "Whom");
    root_.add_subcommand("hidden", "")->group("");
  }

  std::vector<std::string> words(const std::vector<std::string>& typed) {
    std::vector<std::string> out;
    for (const auto& candidate : complete(root_, typed).candidates) out.push_back(candidate.word);
    return out;
  }
  LiveNames live(const std::vector<std::string>& typed) { return complete(root_, typed).live; }

  CLI::App root_{"", "orchion"};
  std::string text_;
  std::vector<std::string> texts_;
  bool flag_ = false;
};

TEST_F(CompletionTest, CommandsAtEveryLevel) {
  EXPECT_THAT(words({""}), ElementsAre("scale", "node", "job", "network"));
  EXPECT_THAT(words({"sc"}), ElementsAre("scale"));
  EXPECT_THAT(words({"node", ""}), ElementsAre("rm"));
  EXPECT_THAT(words({"--stack", "node", "no"}), ElementsAre("node")) << "a value is no command";
  EXPECT_THAT(words({"what"}), IsEmpty());
  EXPECT_EQ(complete(root_, {"sca"}).candidates.front().help, "Change how many");
}

TEST_F(CompletionTest, OptionsOfACommandAndOfItsParents) {
  EXPECT_THAT(words({"node", "rm", "--"}), ElementsAre("--force", "--help", "--stack", "--output"));
  EXPECT_THAT(words({"node", "rm", "--f"}), ElementsAre("--force"));
  EXPECT_THAT(words({"node", "rm", "--", "--f"}), IsEmpty());
}

TEST_F(CompletionTest, ValuesOfOptions) {
  EXPECT_THAT(words({"node", "-o", ""}), ElementsAre("table", "json"));
  EXPECT_THAT(words({"--output", "j"}), ElementsAre("json"));
  EXPECT_THAT(words({"--output=j"}), ElementsAre("--output=json"));
  EXPECT_EQ(live({"--stack", ""}), LiveNames::kStacks);
}

TEST_F(CompletionTest, NamesAreTheServers) {
  EXPECT_EQ(live({"node", "rm", ""}), LiveNames::kNodes);
  EXPECT_EQ(live({"node", "rm", "--force", "n"}), LiveNames::kNodes);
  EXPECT_EQ(live({"node", "rm", "nas", ""}), LiveNames::kNone) << "it takes one";
  EXPECT_EQ(live({"scale", "shop/web=1", ""}), LiveNames::kServices) << "it takes many";
  EXPECT_EQ(live({"node", "rm", "--stack", "shop", ""}), LiveNames::kNodes);
  EXPECT_THAT(complete(root_, {"--stack", "shop", "-o=json", "scale", "w"}).options,
              ElementsAre(testing::Pair("output", "json"), testing::Pair("stack", "shop")));
}

TEST(CompletionScript, IsWhatTheShellUnderstands) {
  EXPECT_EQ(completion_script("csh"), "");
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto checked = base::run_process({.arguments = {shell, "-n"}, .standard_input = completion_script(shell)});
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->exit_code, 0) << shell << ": " << checked->standard_error;
    EXPECT_EQ(checked->standard_error, "") << shell;
  }
}

TEST_F(CompletionTest, JobsAndTheirRunsAreNames) {
  EXPECT_EQ(live({"job", "run", ""}), LiveNames::kJobs);
  EXPECT_EQ(live({"job", "run", "--", ""}), LiveNames::kJobs);
  EXPECT_EQ(live({"job", "run", "encode", ""}), LiveNames::kNone);
  EXPECT_EQ(live({"job", "logs", "enc"}), LiveNames::kRuns);
}

TEST_F(CompletionTest, NetworksAreNamesAndSoAreThoseWhoJoin) {
  EXPECT_EQ(live({"network", "rm", "shop/a", ""}), LiveNames::kNetworks) << "it takes many";
  EXPECT_EQ(live({"network", "connect", "sh"}), LiveNames::kNetworks);
  EXPECT_EQ(live({"network", "connect", "shop/back", ""}), LiveNames::kServices);
}

}  // namespace
}  // namespace orchion::cli
