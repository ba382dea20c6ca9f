#include "node/runtimes/conformance/runtime_conformance.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "base/file.h"
#include "node/logs/segment.h"

namespace orchion::node::runtimes {

using base::Code;

std::vector<OutputRecord> read_segments(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> segments;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) segments.push_back(entry.path());
  std::sort(segments.begin(), segments.end());
  std::vector<OutputRecord> records;
  for (const auto& segment : segments) {
    const auto content = base::read_file(segment).value_or("");
    std::size_t at = 0;
    logs::RecordHeader header;
    while (at + sizeof header <= content.size()) {
      std::memcpy(&header, content.data() + at, sizeof header);
      EXPECT_EQ(static_cast<std::uint32_t>(header.magic), logs::kRecordMagic);
      at += sizeof header;
      records.push_back(
          {header.stream == logs::OutputStream::kError, header.attempt, content.substr(at, header.length)});
      at += header.length;
    }
  }
  return records;
}

std::string joined_output(const std::vector<OutputRecord>& records, bool error, int attempt) {
  std::string text;
  for (const auto& record : records) {
    if (record.error == error && (attempt == 0 || record.attempt == attempt)) text += record.text;
  }
  return text;
}

RuntimeTest::RuntimeTest(std::unique_ptr<RuntimeFactory> factory) : factory_(std::move(factory)) {
  std::signal(SIGPIPE, SIG_IGN);  // as the agent's main does
  if (factory_) reopen();
}

RuntimeTest::~RuntimeTest() {
  for (const auto& id : ids_) {
    const auto removed = run(runtime_->remove(id, /*keep_logs=*/false));
    EXPECT_TRUE(removed.has_value()) << removed.error().message;
  }
}

ContainerConfig RuntimeTest::command(std::vector<std::string> arguments) {
  ContainerConfig config;
  config.id = base::new_uid(random_);
  config.arguments = std::move(arguments);
  config.hostname = "conformance";
  factory_->fill(config);
  ids_.push_back(config.id);
  return config;
}

ContainerConfig RuntimeTest::shell(std::string script) {
  return command({"/bin/sh", "-c", std::move(script)});
}

ContainerInfo RuntimeTest::start(const ContainerConfig& config, std::uint32_t attempt) {
  const auto prepared = run(runtime_->prepare(config));
  EXPECT_TRUE(prepared.has_value()) << prepared.error().message;
  auto started = run(runtime_->start(config.id, attempt));
  EXPECT_TRUE(started.has_value()) << started.error().message;
  return started.value_or(ContainerInfo{});
}

ExitStatus RuntimeTest::wait(const std::string& id) {
  auto exit = run(runtime_->wait(id));
  EXPECT_TRUE(exit.has_value()) << exit.error().message;
  return exit.value_or(ExitStatus{.code = -1});
}

std::string RuntimeTest::output(const std::string& id, int attempt) {
  return joined_output(read_segments(runtime_->log_folder(id)), /*error=*/false, attempt);
}

bool RuntimeConformance::offers(std::string_view feature, const ContainerConfig& config) {
  const auto lacks = runtime().capabilities().lacks;
  const auto lack = lacks.find(feature);
  if (lack == lacks.end()) return true;
  RecordProperty(lack->second.of_node ? kLacksHere : kLacks, lack->second.why);
  auto refused = run(runtime().prepare(config));
  if (refused) {
    if (auto started = run(runtime().start(config.id, 1)); !started) refused = std::unexpected(started.error());
  }
  const auto sentence = refused ? std::string() : refused.error().message;
  EXPECT_GT(sentence.size(), 20u) << feature << " is lacking, and not refused with a sentence: " << sentence;
  return false;
}

std::string RuntimeConformance::said_by(const ContainerConfig& config) {
  start(config);
  wait(config.id);
  return output(config.id);
}

TEST_P(RuntimeConformance, RunsACommandAndTellsHowItEnded) {
  const auto config = shell("sleep 0.05; exit 3");
  const auto info = start(config);
  EXPECT_EQ(info.phase, ContainerPhase::kRunning);
  EXPECT_EQ(info.attempt, 1u);
  EXPECT_GT(info.pid, 0);
  const auto exit = wait(config.id);
  EXPECT_EQ(exit.code, 3);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_FALSE(exit.oom_killed);
  EXPECT_GE(exit.finished_at, info.started_at);
  EXPECT_EQ(wait(config.id).code, 3) << "waiting again answers at once";
}

TEST_P(RuntimeConformance, ACommandThatEndsAtOnceIsNotLost) {
  for (int i = 0; i < 5; ++i) {
    const auto config = shell("exit 7");
    start(config);
    EXPECT_EQ(wait(config.id).code, 7);
  }
}

TEST_P(RuntimeConformance, PhasesAreSeenByInspectAndList) {
  const auto config = shell("sleep 1000");
  auto found = run(runtime().inspect(config.id));
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->has_value()) << "not there before prepare";

  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  found = run(runtime().inspect(config.id));
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->phase, ContainerPhase::kPrepared);

  const auto info = start(config);
  const auto all = run(runtime().list());
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->front().id, config.id);
  EXPECT_EQ(all->front().phase, ContainerPhase::kRunning);
  EXPECT_EQ(all->front().pid, info.pid);

  ASSERT_TRUE(run(runtime().signal(config.id, SIGKILL)).has_value());
  EXPECT_EQ(wait(config.id).code, 128 + SIGKILL);
  found = run(runtime().inspect(config.id));
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->phase, ContainerPhase::kExited);
  EXPECT_EQ((*found)->pid, 0);
  ASSERT_TRUE((*found)->exit.has_value());
  EXPECT_EQ((*found)->exit->signal, SIGKILL);

  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_TRUE(run(runtime().list())->empty());
}

TEST_P(RuntimeConformance, EveryOperationMayBeRepeated) {
  const auto config = shell("sleep 1000");
  const auto first = start(config);
  const auto second = start(config);
  EXPECT_EQ(second.pid, first.pid);
  EXPECT_EQ(second.attempt, 1u);
  EXPECT_EQ(second.started_at, first.started_at);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(run(runtime().signal(config.id, SIGKILL)).has_value());
  wait(config.id);
  EXPECT_TRUE(run(runtime().signal(config.id, SIGTERM)).has_value()) << "no error where it has ended";
  const auto again = run(runtime().start(config.id, 1));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->phase, ContainerPhase::kExited) << "an attempt starts once";
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(run(runtime().remove(config.id, false)).has_value());
}

TEST_P(RuntimeConformance, AHandlerGetsTheSignal) {
  if (!factory_->real()) return;
  const auto config = shell("trap 'echo bye; exit 5' TERM; echo ready; while true; do sleep 0.05; done");
  start(config);
  while (output(config.id).find("ready") == std::string::npos) io_.poll();
  ASSERT_TRUE(run(runtime().signal(config.id, SIGTERM)).has_value());
  EXPECT_EQ(wait(config.id).code, 5);
  EXPECT_EQ(output(config.id), "ready\nbye\n");
}

TEST_P(RuntimeConformance, WhatDoesNotExistIsNotFound) {
  const auto missing = command({"/no/such/program"});
  ASSERT_TRUE(run(runtime().prepare(missing)).has_value());
  const auto started = run(runtime().start(missing.id, 1));
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, Code::kNotFound) << started.error().message;

  const auto in_path = command({"nosuchprogram"});
  ASSERT_TRUE(run(runtime().prepare(in_path)).has_value());
  const auto looked_up = run(runtime().start(in_path.id, 1));
  ASSERT_FALSE(looked_up.has_value());
  EXPECT_EQ(looked_up.error().code, Code::kNotFound) << looked_up.error().message;

  EXPECT_EQ(run(runtime().wait("nobody")).error().code, Code::kNotFound);
  EXPECT_EQ(run(runtime().signal("nobody", SIGTERM)).error().code, Code::kNotFound);
  EXPECT_EQ(run(runtime().start("nobody", 1)).error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(run(runtime().inspect("nobody"))->has_value());
}

TEST_P(RuntimeConformance, WhatIsNotExecutableIsRefused) {
  if (!factory_->real()) return;
  const auto config = command({"/etc/passwd"});
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto started = run(runtime().start(config.id, 1));
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, Code::kPermissionDenied) << started.error().message;
}

TEST_P(RuntimeConformance, AFailedStartMayBeFollowedByAnother) {
  const auto config = command({"/no/such/program"});
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(run(runtime().start(config.id, 1)).has_value());
  const auto found = run(runtime().inspect(config.id));
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->phase, ContainerPhase::kPrepared);
}

TEST_P(RuntimeConformance, ANewAttemptKeepsTheWritableLayer) {
  const auto config = shell(factory_->real() ? "echo attempt >> count; cat count; exit $(wc -l < count)" : "exit 1");
  const auto first = start(config);
  const auto first_exit = wait(config.id);
  const auto second = start(config, 2);
  EXPECT_EQ(second.attempt, 2u);
  EXPECT_TRUE(second.pid == 0 || second.pid != first.pid) << "0 where it has ended by now";
  const auto second_exit = wait(config.id);
  if (!factory_->real()) return;
  EXPECT_EQ(first_exit.code, 1);
  EXPECT_EQ(second_exit.code, 2);
  EXPECT_EQ(output(config.id, 1), "attempt\n");
  EXPECT_EQ(output(config.id, 2), "attempt\nattempt\n");
}

TEST_P(RuntimeConformance, ARunningAttemptIsNotReplaced) {
  const auto config = shell("sleep 1000");
  start(config);
  const auto second = run(runtime().start(config.id, 2));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
}

TEST_P(RuntimeConformance, AnotherInstanceAdoptsWhatRuns) {
  if (!runtime().capabilities().survives_agent) return;
  const auto running = shell("sleep 1000");
  const auto ended = shell("exit 4");
  const auto before = start(running);
  start(ended);
  wait(ended.id);
  reopen();
  const auto all = run(runtime().list());
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 2u);
  for (const auto& info : *all) {
    if (info.id == running.id) {
      EXPECT_EQ(info.phase, ContainerPhase::kRunning);
      EXPECT_EQ(info.pid, before.pid);
      EXPECT_EQ(info.attempt, before.attempt);
      EXPECT_EQ(info.started_at, before.started_at);
    } else {
      ASSERT_TRUE(info.exit.has_value());
      EXPECT_EQ(info.exit->code, 4);
    }
  }
  const auto again = run(runtime().start(running.id, 1));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->pid, before.pid);
  ASSERT_TRUE(run(runtime().signal(running.id, SIGKILL)).has_value());
  EXPECT_EQ(wait(running.id).signal, SIGKILL);
}

TEST_P(RuntimeConformance, OutputIsCapturedByStreamAndAttempt) {
  if (!factory_->real()) return;
  const auto config = shell("echo out; echo err >&2; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
  start(config);
  EXPECT_EQ(wait(config.id).code, 0);
  const auto records = read_segments(runtime().log_folder(config.id));
  std::string expected = "out\n";
  for (int i = 0; i < 20000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(joined_output(records, false, 1), expected);
  EXPECT_EQ(joined_output(records, true, 1), "err\n");
  ASSERT_TRUE(run(runtime().remove(config.id, /*keep_logs=*/true)).has_value());
  EXPECT_FALSE(read_segments(runtime().log_folder(config.id)).empty());
  ASSERT_TRUE(run(runtime().remove(config.id, /*keep_logs=*/false)).has_value());
  EXPECT_FALSE(std::filesystem::exists(runtime().log_folder(config.id)));
}

TEST_P(RuntimeConformance, ATerminalIsOneWhereAskedFor) {
  if (!factory_->real()) return;
  auto config = shell("tty; test -t 0 && test -t 1 && echo yes");
  config.tty = true;
  start(config);
  EXPECT_EQ(wait(config.id).code, 0);
  EXPECT_NE(output(config.id).find("yes"), std::string::npos) << output(config.id);
}

TEST_P(RuntimeConformance, StandardInputEndsAtOnceUnlessItIsOpen) {
  if (!factory_->real()) return;
  const auto closed = shell("cat; exit 6");
  start(closed);
  EXPECT_EQ(wait(closed.id).code, 6);
  auto open = shell("cat; exit 6");
  open.stdin_open = true;
  start(open);
  EXPECT_EQ((*run(runtime().inspect(open.id)))->phase, ContainerPhase::kRunning);
}

TEST_P(RuntimeConformance, RemoveEndsWhatRuns) {
  const auto config = shell("trap '' TERM; sleep 1000");
  const auto info = start(config);
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_FALSE(run(runtime().inspect(config.id))->has_value());
  if (!factory_->real()) return;
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(info.pid)));
}

}  // namespace orchion::node::runtimes
