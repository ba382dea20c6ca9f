// What is said about a command line that makes no sense: one sentence, exit code 2, and nobody is asked for anything.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli.h"

namespace orchion::cli {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

struct Slip {
  Words words;
  std::string said;
};

void PrintTo(const Slip& slip, std::ostream* out) {
  for (const auto& word : slip.words) *out << word << ' ';
}

class WrongUse : public testing::TestWithParam<Slip> {};

TEST_P(WrongUse, IsMetWithASentence) {
  Words words = {"orchion", "--server", "unix:/nowhere/orchion.sock"};
  words.insert(words.end(), GetParam().words.begin(), GetParam().words.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_cli(static_cast<int>(words.size()), argv.data(), {});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, kExitUsage) << said;
  EXPECT_THAT(said, testing::StartsWith("orchion: "));
  EXPECT_THAT(said, HasSubstr(GetParam().said));
  EXPECT_EQ(said.find('\n'), said.size() - 1) << said;
}

INSTANTIATE_TEST_SUITE_P(
    Missing, WrongUse,
    testing::Values(Slip{{"run"}, "`orchion run` needs WHAT: see `orchion run --help`"},
                    Slip{{"scale"}, "`orchion scale` needs TARGET"}, Slip{{"exec", "a/b"}, "needs COMMAND"},
                    Slip{{"inspect"}, "needs WHAT"}, Slip{{"rm"}, "needs WHAT"}, Slip{{"completion"}, "needs SHELL"},
                    Slip{{"node", "drain"}, "`orchion node drain` needs NODE"},
                    Slip{{"node", "join", "h:1"}, "needs TOKEN"}, Slip{{"image", "pull"}, "needs IMAGE"},
                    Slip{{"image", "import"}, "needs FILE"}, Slip{{"context", "add", "nas"}, "needs SERVER"},
                    Slip{{"context", "rm"}, "needs CONTEXT"},
                    Slip{{"up", "--timeout"}, "--timeout needs a value: see `orchion up --help`"},
                    Slip{{"run", "x", "-e"}, "--env needs a value"}, Slip{{"logs", "-n"}, "--tail needs a value"},
                    Slip{{"ps", "-o"}, "--output needs a value"}, Slip{{"-o"}, "--output needs a value"},
                    Slip{{"node", "--stack"}, "--stack needs a value: see `orchion node --help`"},
                    Slip{{"down"}, "which stack? Name it with --stack"}, Slip{{"scale", "web=3"}, "which stack?"},
                    Slip{{"logs"}, "which stack?"}));

INSTANTIATE_TEST_SUITE_P(
    TooMuch, WrongUse,
    testing::Values(Slip{{"ps", "--gpus"}, "`orchion ps` has no option `--gpus`"},
                    Slip{{"ps", "shop"}, "`orchion ps` can do nothing with `shop`"},
                    Slip{{"lisst"}, "there is no `orchion lisst`"},
                    Slip{{"up", "--wait", "-d"}, "--detach and --wait exclude each other: leave one out"},
                    Slip{{"up", "--timeout", "1s", "--timeout", "2s"}, "--timeout was given twice: leave one out"},
                    Slip{{"ps", "--all=perhaps"}, "--all can do nothing with its value: see `orchion ps --help`"}));

INSTANTIATE_TEST_SUITE_P(
    BadValues, WrongUse,
    testing::Values(
        Slip{{"run", "--memory", "lots", "x"}, "--memory: \"lots\" is no amount of memory: write it like 512m"},
        Slip{{"run", "--cpus", "many", "x"}, "--cpus: "}, Slip{{"run", "-p", "a:b", "x"}, "--publish: "},
        Slip{{"run", "--restart", "alway", "x"}, "--restart: `alway` is none of its words: did you mean `always`?"},
        Slip{{"run", "--restart", "x", "x"}, "choose one of no, on-failure, always, unless-stopped"},
        Slip{{"run", "-e", "=x", "x"}, "--env: `=x` has no name: write it like NAME=VALUE"},
        Slip{{"run", "--name", "A B", "x"}, "--name: `A B` is no name: use a-z"},
        Slip{{"run", "-v", "data:/data", "x"}, "a volume belongs to a Compose file"},
        Slip{{"run", "-v", "./a:b:c:d", "x"}, "orchion: "},
        Slip{{"run", "--timeout", "soon", "x"}, "--timeout: soon is no duration: write it like 90s, 5m or 1h30m"},
        Slip{{"up", "--timeout", "soon"}, "--timeout: soon"}, Slip{{"down", "--timeout", "1y"}, "--timeout: 1y"},
        Slip{{"stop-all", "--timeout", "x"}, "--timeout: x"}, Slip{{"restart", "--timeout", "x"}, "--timeout: x"},
        Slip{{"wait", "a", "--timeout", "x"}, "--timeout: x"},
        Slip{{"wait", "a", "--for", "godot"}, "--for: `godot` is none of its words: choose one of running, healthy"},
        Slip{{"logs", "a", "--since", "x"}, "--since: x is no time: write how long ago (10m)"},
        Slip{{"logs", "a", "--until", "x"}, "--until: x"},
        Slip{{"logs", "a", "--tail", "x"}, "--tail: `x` is no number from 0 to"},
        Slip{{"logs", "a", "--grep", "("}, "--grep: the pattern is not a regular expression"},
        Slip{{"logs", "a/b/c"}, "a/b/c"}, Slip{{"exec", "a/b/c", "--", "sh"}, "a/b/c"},
        Slip{{"exec", "-e", "=x", "a/b", "sh"}, "--env: `=x`"}, Slip{{"inspect", "a/b.c"}, "a/b.c"},
        Slip{{"scale", "a=b"}, "TARGET: a=b says no number of tasks: write it like shop/web=3"},
        Slip{{"scale", "a=-1"}, "a=-1"}, Slip{{"scale", "a=99999999999"}, "a=99999999999"},
        Slip{{"scale", "s/a.2=1"}, "leave .2 out"}, Slip{{"ps", "-o", "xml"}, "there is no output format `xml`"},
        Slip{{"ps", "-o", "template={a"}, "no closing brace"}, Slip{{"ps", "--stack", "A/B"}, "--stack: `A/B`"},
        Slip{{"--server", "nonsense", "ps"}, "--server"}, Slip{{"context", "add", "a", "nonsense"}, "SERVER: "},
        Slip{{"context", "add", "a b", "http://h:1"}, "`a b` is no name for a context"},
        Slip{{"server", "--heartbeat", "0"}, "--heartbeat: `0` is no number from 1 to 3600"},
        Slip{{"server", "--node-lost-after", "x"}, "--node-lost-after: `x`"},
        Slip{{"server", "--http", "127.0.0.1:99999"}, "--http: `127.0.0.1:99999`"},
        Slip{{"server", "--http", "everywhere"}, "--http: `everywhere` is no address to listen on"},
        Slip{{"server", "--log-level", "lout"}, "--log-level: `lout` is none of its words"},
        Slip{{"agent", "--label", "=x"}, "--label: `=x`"}, Slip{{"agent", "--hostname", "a b"}, "--hostname: `a b`"},
        Slip{{"completion", "csh"}, "SHELL: `csh` is none of its words: did you mean `zsh`?"}));

}  // namespace
}  // namespace orchion::cli
