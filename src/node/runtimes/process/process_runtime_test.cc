// What only a program of the node itself has: the node around it, and a group that ends with it.

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <unistd.h>

#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/runtimes/process/process_test_factory.h"
#include "node/shim/bundle.h"
#include "node/shim/process_identity.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::process {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ProcessRuntimeTest : public RuntimeTest {
 protected:
  ProcessRuntimeTest() : ProcessRuntimeTest(std::make_unique<ProcessFactory>()) {}

  std::string run_script(ContainerConfig config) {
    start(config);
    wait(config.id);
    return output(config.id);
  }

  // The number in a file that a program wrote into its working folder, once it has.
  static std::int64_t written_pid(const ContainerConfig& config, const char* name) {
    const auto path = std::filesystem::path(config.working_dir) / name;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto text = base::read_file(path).value_or("");
      if (text.ends_with('\n')) return std::stoll(text);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << path << " was not written";
    return 0;
  }

  static bool lives(std::int64_t pid) { return shim::process_start(pid) != 0; }

  // Our groups in all hierarchies, and what is in the folders of containers.
  std::vector<std::string> traces() const {
    std::vector<std::string> found;
    const auto layout = bundle::detect_cgroup_layout();
    for (const auto& hierarchy : layout->hierarchies) {
      const auto group = hierarchy + "/orchion-" + factory().options().cluster_short_id + "-process";
      if (std::filesystem::exists(group)) found.push_back(group);
    }
    for (const char* name : {"containers", "logs"}) {
      const auto folder = factory().options().data_folder / name;
      if (!std::filesystem::exists(folder)) continue;
      for (const auto& entry : std::filesystem::directory_iterator(folder)) found.push_back(entry.path());
    }
    return found;
  }

  const ProcessFactory& factory() const { return process_; }

 private:
  explicit ProcessRuntimeTest(std::unique_ptr<ProcessFactory> made) : RuntimeTest(nullptr), process_(*made) {
    factory_ = std::move(made);
    reopen();
  }

  ProcessFactory& process_;
};

TEST_F(ProcessRuntimeTest, WhatItLeftIsTheNodes) {
  const auto config = shell("echo left > left");
  run_script(config);
  const auto path = std::filesystem::path(config.working_dir) / "left";
  const auto file = std::filesystem::path(config.working_dir) / "saved.tar";
  const auto saved = run(runtime_->save_files(config.id, path, 0, file));
  EXPECT_EQ(saved.error().code, base::Code::kFailedPrecondition);
  EXPECT_THAT(saved.error().message, HasSubstr("has the node's files and none of its own"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(ProcessRuntimeTest, ItIsAnotherUserWithWhatItWasGiven) {
  auto config = shell(
      "id -u; id -G; pwd; grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj; ulimit -n; umask;"
      "grep CapBnd /proc/self/status");
  for (std::filesystem::path folder = config.working_dir; folder != std::filesystem::temp_directory_path();
       folder = folder.parent_path())
    std::filesystem::permissions(folder, std::filesystem::perms::all);
  config.user = "nobody";
  config.additional_groups = {"daemon"};
  config.oom_score_adj = 321;
  config.ulimits = {{.name = "nofile", .soft = 77, .hard = 88}};
  config.cap_drop = {"ALL"};
  EXPECT_EQ(run_script(config),
            "65534\n65534 1\n" + config.working_dir + "\nNoNewPrivs:\t1\n321\n77\n0022\nCapBnd:\t0000000000000000\n");
}

TEST_F(ProcessRuntimeTest, ItsEnvironmentIsWhatIsGivenAndAPath) {
  auto config = command({"env"});
  config.environment = {"A=first\nsecond", "B="};
  EXPECT_EQ(run_script(config),
            "A=first\nsecond\nB=\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
}

TEST_F(ProcessRuntimeTest, SetUidProgramsWorkWhereItMayGain) {
  auto config = command({"grep", "NoNewPrivs", "/proc/self/status"});
  config.privileges.may_gain = true;
  EXPECT_EQ(run_script(config), "NoNewPrivs:\t0\n");
}

TEST_F(ProcessRuntimeTest, ItLeadsASessionAndHasNoneOfOurDescriptors) {
  EXPECT_EQ(run_script(shell("test $$ = $(cut -d' ' -f6 /proc/$$/stat) && echo leads;"
                             "for fd in 3 4 5 6 7 8 9 10; do test -e /proc/$$/fd/$fd && echo $fd; done")),
            "leads\n");
}

TEST_F(ProcessRuntimeTest, ItsLimitsAreSetInItsGroups) {
  auto config = shell("sleep 1000");
  config.limits = {.nano_cpus = 500'000'000, .memory_bytes = 64 << 20, .pids = 33, .cpu_shares = 512, .cpuset = "0"};
  const auto info = start(config);
  const auto layout = *bundle::detect_cgroup_layout();
  const auto group = "/orchion-" + factory().options().cluster_short_id + "-process/" + config.id;
  const auto v2 = layout.mode == bundle::CgroupLayout::Mode::kV2;
  const auto value = [&](const char* controller, const char* file) {
    const auto mount = v2 ? layout.unified : layout.controllers.at(controller);
    return base::read_file(mount + group + "/" + file).value_or("nothing");
  };
  EXPECT_EQ(value("memory", v2 ? "memory.max" : "memory.limit_in_bytes"), "67108864\n");
  EXPECT_EQ(value("pids", "pids.max"), "33\n");
  EXPECT_EQ(value("cpu", v2 ? "cpu.max" : "cpu.cfs_quota_us"), v2 ? "50000 100000\n" : "50000\n");
  EXPECT_EQ(value("cpuset", "cpuset.cpus"), "0\n");
  EXPECT_THAT(value("memory", "cgroup.procs"), testing::StartsWith(std::to_string(info.pid) + "\n"));
  exec(config.id, {.arguments = {"/bin/sh", "-c", "cat /proc/self/cgroup > cgroups"}});
  EXPECT_THAT(base::read_file(config.working_dir + "/cgroups").value_or(""), HasSubstr(group));
}

TEST_F(ProcessRuntimeTest, ALimitTheKernelRefusesIsNamed) {
  auto config = shell("sleep 1000");
  config.limits.cpuset = "5000";
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto started = run(runtime().start(config.id, 1));
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error().message, HasSubstr("cpuset.cpus to 5000"));
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_THAT(traces(), IsEmpty());
}

TEST_F(ProcessRuntimeTest, WhatItLeftBehindEndsWithIt) {
  const auto config = shell(
      "setsid sh -c 'sleep 1000 & echo $! > child; wait' & read x < /dev/null;"
      "while ! test -s child; do sleep 0.01; done");
  start(config);
  wait(config.id);
  EXPECT_FALSE(lives(written_pid(config, "child")));
}

TEST_F(ProcessRuntimeTest, RemovalKillsTheWholeGroupAndLeavesNothing) {
  const auto config = shell("trap '' TERM; setsid sh -c 'sleep 1000 & echo $! > child; wait' & wait");
  start(config);
  const auto child = written_pid(config, "child");
  EXPECT_TRUE(lives(child));
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_FALSE(lives(child));
  EXPECT_THAT(traces(), IsEmpty());
}

TEST_F(ProcessRuntimeTest, WithoutItsShimItIsEndedWithAllItStarted) {
  const auto config = shell("sleep 1000 & echo $! > child; wait");
  start(config);
  const auto child = written_pid(config, "child");
  const auto status =
      base::read_file(factory().options().data_folder / "containers" / config.id / shim::kStatusFile).value_or("");
  const bundle::ProcessIdentity shim{shim::find_number(status, shim::status::kShimPid, 0),
                                     shim::find_number(status, shim::status::kShimPidStart, 0)};
  const auto handle = bundle::open_process(shim);
  ASSERT_TRUE(bundle::signal_process(handle, SIGKILL).has_value());
  ASSERT_TRUE(bundle::wait_for_end(handle, std::chrono::seconds(20)));
  const auto exit = wait(config.id);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_THAT(exit.reason, HasSubstr("shim"));
  EXPECT_FALSE(lives(child));
}

TEST_F(ProcessRuntimeTest, AFirstProcessReapsWhereAskedFor) {
  auto config = shell("cat /proc/$PPID/cmdline | tr '\\0' ' '; exit 3");
  config.init = true;
  start(config);
  EXPECT_EQ(wait(config.id).code, 3);
  EXPECT_THAT(output(config.id), HasSubstr(" init /bin/sh -c"));
}

TEST_F(ProcessRuntimeTest, AMissingWorkingDirectoryIsSaid) {
  auto config = shell("true");
  config.working_dir = "/no/such/folder";
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto started = run(runtime().start(config.id, 1));
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error().message, HasSubstr("working directory"));
}

TEST_F(ProcessRuntimeTest, WhatItCantHaveMakesNothing) {
  auto config = shell("true");
  config.network_namespace = "/run/netns/x";
  const auto prepared = run(runtime().prepare(config));
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ(prepared.error().code, base::Code::kInvalidArgument);
  EXPECT_THAT(traces(), IsEmpty());
  EXPECT_FALSE(runtime().capabilities().networks);
}

}  // namespace
}  // namespace orchion::node::runtimes::process
