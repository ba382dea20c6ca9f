// Attaching: what was written and what comes, input, terminals, and who leaves.

#include <csignal>

#include "node/runtimes/conformance/runtime_conformance.h"

namespace orchion::node::runtimes {

namespace {

using base::Code;
using AttachedStream = base::Stream<ExecOutput, ExecInput>;
using Heard = RuntimeTest::ExecResult;

base::Co<> send_all(AttachedStream& stream, std::vector<ExecInput> inputs) {
  for (auto& input : inputs) CO_RETURN_IF_ERROR(co_await stream.send(std::move(input)));
  co_return base::Result<>{};
}

// Until `out` has this text, or the end.
base::Co<Heard> listen(AttachedStream& stream, std::string until) {
  Heard heard;
  while (until.empty() || heard.out.find(until) == std::string::npos) {
    CO_ASSIGN_OR_RETURN(auto next, co_await stream.receive());
    if (!next) break;
    heard.out += next->out.value_or("");
    heard.error += next->error.value_or("");
    if (next->exit_code) heard.exit_code = *next->exit_code;
  }
  co_return heard;
}

ExecInput text(std::string data) {
  return {.data = std::move(data)};
}

}  // namespace

std::unique_ptr<AttachedStream> RuntimeTest::attach(const std::string& id, AttachConfig config) {
  auto stream = run(runtime_->attach(id, config));
  EXPECT_TRUE(stream.has_value()) << stream.error().message;
  return stream ? *std::move(stream) : nullptr;
}

RuntimeTest::ExecResult RuntimeTest::hear(AttachedStream& stream, std::string until) {
  auto heard = run(listen(stream, std::move(until)));
  EXPECT_TRUE(heard.has_value()) << heard.error().message;
  return heard.value_or(ExecResult{});
}

void RuntimeTest::say(AttachedStream& stream, std::vector<ExecInput> inputs) {
  const auto sent = run(send_all(stream, std::move(inputs)));
  EXPECT_TRUE(sent.has_value()) << sent.error().message;
}

ContainerConfig RuntimeTest::open_shell(std::string script) {
  auto config = shell(std::move(script));
  config.stdin_open = true;
  return config;
}

TEST_P(RuntimeConformance, AttachWhatWasWrittenComesFirstAndTheExitCodeLast) {
  const auto config = open_shell("echo early; cat");
  start(config);
  const auto stream = attach(config.id, {.stdin = true});
  EXPECT_EQ(hear(*stream, "early\n").out, "early\n");
  say(*stream, {text("one\n"), text("two\n")});
  EXPECT_EQ(hear(*stream, "two\n").out, "one\ntwo\n");
  say(*stream, {text("three\n"), {.end = true}});
  const auto rest = hear(*stream);
  EXPECT_EQ(rest.out, "three\n");
  EXPECT_EQ(rest.exit_code, 0);
  const auto again = run(stream->receive());
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->has_value()) << "nothing follows the exit code";
}

TEST_P(RuntimeConformance, AttachOneThatHasEndedIsReadToItsEnd) {
  const auto config = shell("echo said; exit 3");
  start(config);
  wait(config.id);
  const auto heard = hear(*attach(config.id));
  EXPECT_EQ(heard.out, "said\n");
  EXPECT_EQ(heard.exit_code, 3);
}

TEST_P(RuntimeConformance, AttachSeveralHearTheSameAndWhoLeavesEndsNothing) {
  const auto config = open_shell("cat");
  start(config);
  const auto first = attach(config.id, {.stdin = true});
  auto second = attach(config.id, {.stdin = true});
  const auto unread = attach(config.id);
  say(*first, {text("from one\n")});
  EXPECT_EQ(hear(*first, "\n").out, "from one\n");
  EXPECT_EQ(hear(*second, "\n").out, "from one\n");
  say(*second, {text("from two\n")});
  EXPECT_EQ(hear(*first, "two\n").out, "from two\n");
  second.reset();
  EXPECT_EQ((*run(runtime().inspect(config.id)))->phase, ContainerPhase::kRunning);
  say(*first, {text("still\n"), {.end = true}});
  const auto rest = hear(*first);
  EXPECT_EQ(rest.out, "still\n");
  EXPECT_EQ(rest.exit_code, 0);
  EXPECT_EQ(hear(*unread).out, "from one\nfrom two\nstill\n");
}

TEST_P(RuntimeConformance, AttachInputIsRefusedWhereTheContainerTakesNone) {
  const auto config = shell("sleep 1000");
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  EXPECT_EQ(run(runtime().attach(config.id, {})).error().code, Code::kFailedPrecondition) << "it was never started";
  start(config);
  const auto refused = run(runtime().attach(config.id, {.stdin = true}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("stdin_open: true"), std::string::npos) << refused.error().message;
  EXPECT_EQ(run(runtime().attach("nobody", {})).error().code, Code::kNotFound);
}

TEST_P(RuntimeConformance, AttachOnlyTheNewestAttemptIsHeard) {
  const auto config = shell(factory_->real() ? "echo x >> count; wc -l < count" : "echo 2");
  start(config);
  wait(config.id);
  start(config, 2);
  wait(config.id);
  const auto heard = hear(*attach(config.id));
  EXPECT_EQ(heard.out, "2\n");
}

TEST_P(RuntimeConformance, AttachWorksAgainAfterTheAgent) {
  if (!runtime().capabilities().survives_agent) return;
  const auto config = open_shell("echo early; cat");
  start(config);
  {
    const auto before = attach(config.id, {.stdin = true});
    say(*before, {text("before\n")});
    EXPECT_EQ(hear(*before, "before\n").out, "early\nbefore\n");
  }
  reopen();
  const auto after = attach(config.id, {.stdin = true});
  EXPECT_EQ(hear(*after, "before\n").out, "early\nbefore\n");
  say(*after, {text("after\n"), {.end = true}});
  const auto rest = hear(*after);
  EXPECT_EQ(rest.out, "after\n");
  EXPECT_EQ(rest.exit_code, 0);
}

TEST_P(RuntimeConformance, AttachInputEndsForGood) {
  if (!factory_->real()) return;
  const auto config = open_shell("mkfifo fifo; cat; echo ended; read go < fifo; exit 5");
  start(config);
  const auto first = attach(config.id, {.stdin = true});
  say(*first, {text("a\n"), {.end = true}});
  EXPECT_EQ(hear(*first, "ended\n").out, "a\nended\n");
  const auto second = attach(config.id, {.stdin = true});
  say(*second, {text("too late\n"), {.end = true}});
  // The container ends by it, and may take the writer along before that has ended by itself.
  exec(config.id, {.arguments = {"/bin/sh", "-c", "echo > fifo"}});
  EXPECT_EQ(hear(*second).exit_code, 5);
}

TEST_P(RuntimeConformance, AttachBothStreamsAndManyBytesComeWhole) {
  if (!factory_->real()) return;
  const auto config =
      open_shell("echo bad >&2; read go; i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done");
  start(config);
  const auto stream = attach(config.id, {.stdin = true});
  say(*stream, {text("go\n")});
  const auto heard = hear(*stream);
  std::string expected;
  for (int i = 0; i < 30000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_TRUE(heard.out == expected) << heard.out.size() << " bytes instead of " << expected.size();
  EXPECT_EQ(heard.error, "bad\n");
  EXPECT_EQ(heard.exit_code, 0);
}

TEST_P(RuntimeConformance, AttachNobodyIsHeldUpByOneThatDoesNotRead) {
  if (!factory_->real()) return;
  const auto config = shell("head -c 6000000 /dev/zero | tr '\\0' x; exit 4");
  start(config);
  const auto unread = attach(config.id);
  EXPECT_EQ(wait(config.id).code, 4);
}

TEST_P(RuntimeConformance, AttachBytesStayBytes) {
  if (!factory_->real()) return;
  std::string bytes;
  for (int i = 0; i < 70000; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  const auto config = open_shell("cat");
  start(config);
  const auto stream = attach(config.id, {.stdin = true});
  say(*stream, {text(bytes), {.end = true}});
  const auto heard = hear(*stream);
  EXPECT_TRUE(heard.out == bytes) << heard.out.size() << " bytes instead of " << bytes.size();
}

TEST_P(RuntimeConformance, AttachedTerminalIsHeardAtOnceAndHasTheCallersSize) {
  if (!runtime().capabilities().tty || !factory_->real()) return;
  auto config = open_shell("printf 'name? '; read name; stty size; printf 'more? '; read more; stty size; exit 6");
  config.tty = true;
  start(config);
  const auto stream = attach(config.id, {.stdin = true, .columns = 101, .rows = 33});
  EXPECT_NE(hear(*stream, "name? ").out.find("name? "), std::string::npos);
  say(*stream, {text("ann\n")});
  const auto first = hear(*stream, "more? ").out;
  EXPECT_NE(first.find("ann\r\n33 101\r\n"), std::string::npos) << first;
  say(*stream, {{.resize = std::pair<std::uint16_t, std::uint16_t>{55, 44}}, text("x\n")});
  const auto rest = hear(*stream);
  EXPECT_NE(rest.out.find("44 55\r\n"), std::string::npos) << rest.out;
  EXPECT_EQ(rest.exit_code, 6);
}

TEST_P(RuntimeConformance, AttachedTerminalIsThereAgainAfterTheAgent) {
  if (!runtime().capabilities().tty || !factory_->real()) return;
  auto config = open_shell("while read line; do echo \"got $line\"; done; exit 7");
  config.tty = true;
  start(config);
  {
    const auto before = attach(config.id, {.stdin = true, .columns = 80, .rows = 24});
    say(*before, {text("one\n")});
    hear(*before, "got one\r\n");
  }
  reopen();
  const auto after = attach(config.id, {.stdin = true, .columns = 80, .rows = 24});
  EXPECT_NE(hear(*after, "got one\r\n").out.find("got one"), std::string::npos);
  say(*after, {text("two\n")});
  hear(*after, "got two\r\n");
  say(*after, {{.end = true}});
  EXPECT_EQ(hear(*after).exit_code, 7) << "the end of input is the terminal's own sign";
}

}  // namespace orchion::node::runtimes
