// Exec, with and without a terminal.

#include <csignal>

#include "node/runtimes/conformance/runtime_conformance.h"

namespace orchion::node::runtimes {

namespace {

using base::Code;
using ExecStream = base::Stream<ExecOutput, ExecInput>;

base::Co<> send_all(ExecStream& stream, std::vector<ExecInput> inputs) {
  for (auto& input : inputs) CO_RETURN_IF_ERROR(co_await stream.send(std::move(input)));
  co_return base::Result<>{};
}

// Until the stream's end.
base::Co<std::vector<ExecOutput>> receive_all(ExecStream& stream) {
  std::vector<ExecOutput> all;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto next, co_await stream.receive());
    if (!next) co_return all;
    all.push_back(*std::move(next));
  }
}

}  // namespace

RuntimeTest::ExecResult RuntimeTest::exec(const std::string& id, ExecConfig config, std::vector<ExecInput> inputs) {
  ExecResult result;
  auto stream = run(runtime_->exec(id, std::move(config)));
  EXPECT_TRUE(stream.has_value()) << stream.error().message;
  if (!stream) return result;
  const auto sent = run(send_all(**stream, std::move(inputs)));
  EXPECT_TRUE(sent.has_value());
  const auto all = run(receive_all(**stream));
  EXPECT_TRUE(all.has_value()) << all.error().message;
  for (const auto& output : all.value_or(std::vector<ExecOutput>{})) {
    EXPECT_EQ(result.exit_code, -1) << "the exit code is the last";
    result.out += output.out.value_or("");
    result.error += output.error.value_or("");
    if (output.exit_code) result.exit_code = *output.exit_code;
  }
  return result;
}

TEST_P(RuntimeConformance, ExecRunsInTheContainer) {
  if (!runtime().capabilities().exec) return;
  const auto config = shell("sleep 1000");
  start(config);
  const auto said = exec(config.id, {.arguments = {"echo", "hello"}});
  EXPECT_EQ(said.out, "hello\n");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_EQ(exec(config.id, {.arguments = {"/bin/sh", "-c", "exit 9"}}).exit_code, 9);
  if (!factory_->real()) return;
  const auto both = exec(config.id, {.arguments = {"/bin/sh", "-c", "echo o; echo e >&2; hostname"}});
  if (factory_->contained()) {
    EXPECT_EQ(both.out, "o\nconformance\n");
  } else {
    EXPECT_EQ(both.out.substr(0, 2), "o\n");
  }
  EXPECT_EQ(both.error, "e\n");
  const auto placed = exec(config.id, {.arguments = {"/bin/sh", "-c", "echo $GREETING; pwd; id -u"},
                                       .environment = {"GREETING=hi"},
                                       .user = "1234:99",
                                       .working_dir = "/etc"});
  EXPECT_EQ(placed.out, "hi\n/etc\n1234\n");
}

TEST_P(RuntimeConformance, ExecTakesInput) {
  if (!runtime().capabilities().exec) return;
  const auto config = shell("sleep 1000");
  start(config);
  std::string large(300'000, 'x');
  const auto echoed =
      exec(config.id, {.arguments = {"cat"}, .stdin = true}, {{.data = "abc"}, {.data = "def"}, {.end = true}});
  EXPECT_EQ(echoed.out, "abcdef");
  EXPECT_EQ(echoed.exit_code, 0);
  if (!factory_->real()) return;
  const auto counted = exec(config.id, {.arguments = {"wc", "-c"}, .stdin = true}, {{.data = large}, {.end = true}});
  EXPECT_EQ(counted.out, "300000\n");
}

TEST_P(RuntimeConformance, ExecHasATerminalWhereAskedFor) {
  if (!runtime().capabilities().tty || !factory_->real()) return;
  const auto config = shell("sleep 1000");
  start(config);
  ExecConfig terminal{.arguments = {"/bin/sh", "-c", "read line; test -t 0 && stty size; echo got $line"},
                      .tty = true,
                      .stdin = true,
                      .columns = 101,
                      .rows = 33};
  const auto typed = exec(config.id, terminal, {{.data = "word\n"}});
  EXPECT_NE(typed.out.find("33 101"), std::string::npos) << typed.out;
  EXPECT_NE(typed.out.find("got word"), std::string::npos) << typed.out;
  EXPECT_EQ(typed.exit_code, 0);
  const auto resized =
      exec(config.id, terminal, {{.resize = std::pair<std::uint16_t, std::uint16_t>{55, 44}}, {.data = "word\n"}});
  EXPECT_NE(resized.out.find("44 55"), std::string::npos) << resized.out;
}

TEST_P(RuntimeConformance, ExecOfWhatDoesNotExistIsNotFound) {
  if (!runtime().capabilities().exec) return;
  const auto config = shell("sleep 1000");
  start(config);
  const auto missing = run(runtime().exec(config.id, {.arguments = {"/no/such/program"}}));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kNotFound) << missing.error().message;
  EXPECT_EQ(run(runtime().exec("nobody", {.arguments = {"echo"}})).error().code, Code::kNotFound);
  ASSERT_TRUE(run(runtime().signal(config.id, SIGKILL)).has_value());
  wait(config.id);
  const auto late = run(runtime().exec(config.id, {.arguments = {"echo"}}));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kFailedPrecondition);
}

TEST_P(RuntimeConformance, DestroyingAnExecsStreamKillsIt) {
  if (!runtime().capabilities().exec || !factory_->real()) return;
  const auto config = shell("mkfifo ended; read x < ended; exit 8");
  start(config);
  // The fifo's writer ends with the exec'd process, which is what the container waits for.
  auto stream =
      run(runtime().exec(config.id, {.arguments = {"/bin/sh", "-c", "exec 3>ended; echo on; exec sleep 1000"}}));
  ASSERT_TRUE(stream.has_value()) << stream.error().message;
  const auto first = run((*stream)->receive());
  ASSERT_TRUE(first.has_value() && first->has_value());
  stream->reset();
  EXPECT_EQ(wait(config.id).code, 8);
}

}  // namespace orchion::node::runtimes
