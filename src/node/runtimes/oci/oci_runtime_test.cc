// What is left of real containers, and what happens when somebody kills what shouldn't be killed.

#include <gmock/gmock.h>

#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/bundle/container_start.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/oci/oci_test_fixture.h"
#include "node/shim/bundle.h"
#include "node/shim/process_identity.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::oci {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;
using testing::Not;

TEST_F(OciRuntimeTest, NothingIsLeftBehind) {
  EXPECT_THAT(traces(), testing::IsEmpty());
  auto limited = shell("sleep 1000");
  limited.limits = {.nano_cpus = 500'000'000, .memory_bytes = 64 << 20, .pids = 50};
  const auto ended = shell("touch /a /b; exit 3");
  auto terminal = shell("sleep 1000");
  terminal.tty = true;
  const auto missing = command({"/no/such/program"});
  start(limited);
  start(ended);
  start(terminal);
  ASSERT_TRUE(run(runtime().prepare(missing)).has_value());
  EXPECT_FALSE(run(runtime().start(missing.id, 1)).has_value());
  exec(limited.id, {.arguments = {"true"}});
  wait(ended.id);
  for (const auto& trace : traces()) EXPECT_THAT(trace, Not(testing::StartsWith("mount"))) << "the host sees no mount";
  for (const auto& id : {limited.id, ended.id, terminal.id, missing.id})
    EXPECT_TRUE(run(runtime().remove(id, false)).has_value());
  EXPECT_THAT(traces(), testing::IsEmpty());
}

TEST_F(OciRuntimeTest, WhatAKilledAgentLeftOfACommandGoesWithItsContainer) {
  const auto config = shell("sleep 1000");
  start(config);
  exec(config.id, {.arguments = {"true"}});
  const auto commands = oci_.options().state_folder / "exec" / config.id;
  EXPECT_TRUE(fs::is_empty(commands)) << "a command's own folder goes when it runs";
  // The agent is killed before it does.
  ASSERT_TRUE(base::make_folders(commands / "half-begun").has_value());
  ASSERT_TRUE(base::write_file(commands / "half-begun" / "process.json", "{}").has_value());
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_THAT(traces(), testing::IsEmpty());
}

TEST_F(OciRuntimeTest, AnEndedContainerHoldsNothingInTheKernel) {
  const auto config = shell("exit 0");
  start(config);
  wait(config.id);
  for (const auto& trace : traces()) {
    EXPECT_THAT(trace, Not(testing::StartsWith("process")));
    EXPECT_THAT(trace, Not(testing::StartsWith("mount")));
  }
  const auto layout = *bundle::detect_cgroup_layout();
  for (const auto& hierarchy : layout.hierarchies)
    EXPECT_FALSE(fs::exists(hierarchy + "/orchion-" + oci_.options().cluster_short_id + "/" + config.id));
}

TEST_F(OciRuntimeTest, AContainerMayNameWhatStartsIt) {
  EXPECT_THAT(runtime().capabilities().oci_runtimes, testing::ElementsAre("crun", "runc"));
  auto config = shell("sleep 1000");
  config.oci_runtime = "runc";
  start(config);
  const auto notes = oci_.options().state_folder / "crun" / config.id;
  EXPECT_TRUE(fs::exists(notes / "state.json")) << "as runc calls it; crun has \"status\"";
  auto unknown = shell("true");
  unknown.oci_runtime = "runv";
  const auto refused = run(runtime().prepare(unknown));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("runv is not installed on this node"));
}

TEST_F(OciRuntimeTest, WhatStartsContainersIsACopyInMemory) {
  for (const char* name : {"crun", "runc"}) {
    auto options = OciFactory(name).options();
    options.state_folder = oci_.options().state_folder;
    options.data_folder = oci_.options().data_folder;
    options.cluster_short_id = oci_.options().cluster_short_id;
    options.binaries.front().path = "/nowhere/" + options.binaries.front().path.filename().string();
    auto other = OciRuntime::open(io_.get_executor(), pool_, options);
    ASSERT_TRUE(other.has_value()) << other.error().message;
    runtime_ = *std::move(other);
    const auto config = shell("sleep 1000");
    start(config);
    EXPECT_EQ(exec(config.id, {.arguments = {"echo", "hi"}}).out, "hi\n") << name;
  }
}

TEST_F(OciRuntimeTest, WithoutACopyTheFileIsStarted) {
  auto options = oci_.options();
  for (auto& binary : options.binaries) binary.image.reset();
  auto other = OciRuntime::open(io_.get_executor(), pool_, options);
  ASSERT_TRUE(other.has_value()) << other.error().message;
  runtime_ = *std::move(other);
  const auto config = shell("sleep 1000");
  start(config);
  EXPECT_EQ(exec(config.id, {.arguments = {"echo", "hi"}}).out, "hi\n");
}

TEST_F(OciRuntimeTest, OutputStaysBelowItsCap) {
  auto config = shell("i=0; while [ $i -lt 20000 ]; do echo line number $i; i=$((i+1)); done");
  config.log_bytes_max = 100'000;
  const auto said = run_script(config);
  EXPECT_LT(said.size(), 100'000u);
  EXPECT_GT(said.size(), 20'000u);
  EXPECT_THAT(said, testing::EndsWith("line number 19998\nline number 19999\n"));
}

TEST_F(OciRuntimeTest, TheShimIsSmallAndInAGroupOfOurs) {
  const auto config = shell("echo ready; sleep 1000");
  const auto info = start(config);
  const auto own = "/orchion-" + oci_.options().cluster_short_id;
  EXPECT_THAT(read_proc(info.pid, "cgroup"), HasSubstr(own + "/" + config.id));
  // Both come when the container already runs.
  EXPECT_TRUE(
      eventually([&] { return read_proc(shim_pid(config.id), "cgroup").find(own + "/shims") != std::string::npos; }));
  const auto kib = [&] {
    const auto memory = read_proc(shim_pid(config.id), "smaps_rollup");
    const auto at = memory.find("\nPss:");
    return at == memory.npos ? 0 : std::stoi(memory.substr(at + 5));
  };
  EXPECT_TRUE(eventually([&] { return kib() > 0 && kib() < 700; })) << kib() << " KiB for each container";
}

// A container whose output has nowhere to go any more can't be left running.
TEST_F(OciRuntimeTest, WithoutItsShimAContainerIsEnded) {
  const auto config = shell("trap '' TERM; while true; do sleep 0.1; done");
  const auto info = start(config);
  kill_shim(config.id);
  const auto exit = wait(config.id);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_THAT(exit.reason, HasSubstr("shim was killed"));
  EXPECT_EQ(shim::process_start(info.pid), 0) << "dead, if perhaps not yet buried by init";
  EXPECT_EQ(start(config, 2).attempt, 2u);
}

TEST_F(OciRuntimeTest, AShimKilledWhileTheAgentWasAwayIsNoticed) {
  const auto config = shell("sleep 1000");
  start(config);
  kill_shim(config.id);
  reopen();
  const auto all = run(runtime().list());
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 1u);
  ASSERT_TRUE(all->front().exit.has_value());
  EXPECT_THAT(all->front().exit->reason, HasSubstr("shim was killed"));
}

// Another boot's pids mean nothing, even where processes with these numbers live.
TEST_F(OciRuntimeTest, AnEarlierBootsContainersHaveEnded) {
  const auto config = shell("echo again >> /kept; cat /kept");
  start(config);
  wait(config.id);
  ASSERT_TRUE(base::remove_tree(bundle(config.id) / shim::kExitFile).has_value());
  auto status = *base::read_file(bundle(config.id) / shim::kStatusFile);
  shim::RecordWriter other;
  other.add(shim::status::kAttempt, 1);
  other.add(shim::status::kPid, ::getpid());
  other.add(shim::status::kShimPid, ::getpid());
  other.add(shim::status::kBootId, "00000000-0000-0000-0000-000000000000");
  ASSERT_TRUE(base::write_file(bundle(config.id) / shim::kStatusFile, other.text()).has_value());
  reopen();
  const auto exit = wait(config.id);
  EXPECT_EQ(exit.reason, "the machine was restarted");
  start(config, 2);
  wait(config.id);
  EXPECT_EQ(output(config.id, 2), "again\nagain\n");
}

// As after a power cut: the next attempt begins with a whole bundle, and what the container wrote is still there.
TEST_F(OciRuntimeTest, ABundleThatLostItsSettingsIsMadeAnew) {
  const auto config = shell("echo here >> /written; cat /written; sleep 1000");
  start(config);
  kill_shim(config.id);
  wait(config.id);
  for (const auto* text : {"", "id="}) {
    ASSERT_TRUE(base::write_file(bundle(config.id) / shim::kSettingsFile, text).has_value());
    ASSERT_TRUE(run(runtime().prepare(config)).has_value());
    EXPECT_TRUE(shim::is_whole_settings(*base::read_file(bundle(config.id) / shim::kSettingsFile)));
  }
}

TEST_F(OciRuntimeTest, AReusedPidIsNotAdopted) {
  const auto config = shell("sleep 1000");
  const auto info = start(config);
  kill_shim(config.id);
  wait(config.id);
  // The record now names a process that lives, but began at another time: this one.
  auto status = *base::read_file(bundle(config.id) / shim::kStatusFile);
  const auto boot = std::string(shim::find_text(status, shim::status::kBootId));
  shim::RecordWriter other;
  other.add(shim::status::kAttempt, 2);
  other.add(shim::status::kPid, ::getpid());
  other.add(shim::status::kPidStart, 1);
  other.add(shim::status::kShimPid, ::getpid());
  other.add(shim::status::kShimPidStart, 1);
  other.add(shim::status::kBootId, boot);
  ASSERT_TRUE(base::write_file(bundle(config.id) / shim::kStatusFile, other.text()).has_value());
  const auto found = run(runtime().inspect(config.id));
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->phase, ContainerPhase::kExited);
  EXPECT_NE((*found)->pid, info.pid);
}

TEST_F(OciRuntimeTest, AStartWhoseAgentDiedIsFinishedByTheNext) {
  const auto config = shell("sleep 1000");
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto shim = bundle::install_shim(oci_.options().data_folder / "shim");
  ASSERT_TRUE(shim.has_value());
  const auto store = OciRuntime::open_store(oci_.options());
  ASSERT_TRUE(store.has_value());
  {
    const auto begun = bundle::begin_start(**store, *shim, config.id, 1);
    ASSERT_TRUE(begun.has_value()) << begun.error().message;
    ASSERT_FALSE(begun->info.has_value());
  }  // nobody hears the report
  const auto started = run(runtime().start(config.id, 1));
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(started->phase, ContainerPhase::kRunning);
  EXPECT_GT(started->pid, 0);
  EXPECT_EQ(started->attempt, 1u);
}

TEST_F(OciRuntimeTest, ARemovalDuringAStartLeavesNothing) {
  const auto config = shell("sleep 1000");
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto shim = bundle::install_shim(oci_.options().data_folder / "shim");
  const auto store = OciRuntime::open_store(oci_.options());
  ASSERT_TRUE(store.has_value());
  {
    const auto begun = bundle::begin_start(**store, *shim, config.id, 1);
    ASSERT_TRUE(begun.has_value());
  }
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_THAT(traces(), testing::IsEmpty());
}

TEST_F(OciRuntimeTest, AHalfMadeBundleIsFinishedOrRemoved) {
  const auto config = shell("exit 2");
  fs::create_directories(bundle(config.id) / "upper");
  const auto all = run(runtime().list());
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->front().phase, ContainerPhase::kPrepared);
  EXPECT_EQ(run(runtime().start(config.id, 1)).error().code, Code::kFailedPrecondition);
  start(config);
  EXPECT_EQ(wait(config.id).code, 2);
  const auto never = shell("exit 0");
  fs::create_directories(bundle(never.id) / "upper");
  EXPECT_TRUE(run(runtime().remove(never.id, false)).has_value());
  EXPECT_FALSE(fs::exists(bundle(never.id)));
}

TEST_F(OciRuntimeTest, ManyStartAndEndAtOnce) {
  constexpr int kMany = 8;
  std::vector<std::string> ids;
  std::vector<base::Result<ContainerInfo>> started;
  int removed = 0;
  auto start_one = [](Runtime& r, ContainerConfig config) -> base::Co<ContainerInfo> {
    const auto id = config.id;
    CO_RETURN_IF_ERROR(co_await r.prepare(std::move(config)));
    co_return co_await r.start(id, 1);
  };
  for (int i = 0; i < kMany; ++i) {
    const auto config = shell("sleep 1000");
    ids.push_back(config.id);
    boost::asio::co_spawn(io_, start_one(runtime(), config),
                          [&](std::exception_ptr, base::Result<ContainerInfo> r) { started.push_back(std::move(r)); });
  }
  while (started.size() < kMany) io_.run_one();
  for (const auto& result : started) EXPECT_TRUE(result.has_value()) << result.error().message;
  for (const auto& id : ids)
    boost::asio::co_spawn(io_, runtime().remove(id, false), [&](std::exception_ptr, base::Result<> r) {
      EXPECT_TRUE(r.has_value()) << r.error().message;
      ++removed;
    });
  while (removed < kMany) io_.run_one();
  EXPECT_THAT(traces(), testing::IsEmpty());
}

TEST_F(OciRuntimeTest, BadInputIsRefusedWithoutATrace) {
  auto config = shell("exit 0");
  config.id = "../evil";
  EXPECT_EQ(run(runtime().prepare(config)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(run(runtime().remove(config.id, false)).error().code, Code::kInvalidArgument);
  auto no_command = shell("x");
  no_command.arguments.clear();
  EXPECT_EQ(run(runtime().prepare(no_command)).error().code, Code::kInvalidArgument);
  auto capability = shell("x");
  capability.cap_add = {"FLY"};
  EXPECT_EQ(run(runtime().prepare(capability)).error().code, Code::kInvalidArgument);
  auto no_layer = shell("x");
  no_layer.layers = {oci_.folder() / "missing"};
  EXPECT_FALSE(run(runtime().prepare(no_layer)).has_value());
  auto no_mount = shell("x");
  no_mount.mounts = {{.source = oci_.folder() / "missing", .target = "/data"}};
  ASSERT_TRUE(run(runtime().prepare(no_mount)).has_value());
  const auto started = run(runtime().start(no_mount.id, 1));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().code, Code::kNotFound) << "that would blame the command";
  EXPECT_THAT(started.error().message, HasSubstr("missing"));
  EXPECT_TRUE(run(runtime().remove(no_mount.id, false)).has_value());
  EXPECT_THAT(traces(), testing::IsEmpty());
}

}  // namespace
}  // namespace orchion::node::runtimes::oci
