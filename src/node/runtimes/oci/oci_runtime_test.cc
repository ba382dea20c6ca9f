// What only real containers can show: what is inside one, what is left of one, and what happens when somebody kills
// what shouldn't be killed.

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/process.h"
#include "node/runtimes/oci/bundle_store.h"
#include "node/runtimes/oci/container_start.h"
#include "node/runtimes/oci/oci_test_factory.h"
#include "node/runtimes/oci/process_handle.h"
#include "node/runtimes/oci/shim_image.h"
#include "node/shim/bundle.h"
#include "node/shim/process_identity.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::oci {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;
using testing::Not;

class OciRuntimeTest : public RuntimeTest {
 protected:
  OciRuntimeTest() : OciRuntimeTest(std::make_unique<OciFactory>(RuntimeBinary::Kind::kCrun)) {}

  // Runs the script to its end and returns its output.
  std::string run_script(ContainerConfig config) {
    start(config);
    wait(config.id);
    return output(config.id);
  }

  fs::path bundle(const std::string& id) const { return oci_.options().data_folder / "containers" / id; }

  // A value of the newest start's record.
  std::int64_t started(const std::string& id, const char* name) const {
    return shim::find_number(base::read_file(bundle(id) / shim::kStatusFile).value_or(""), name, 0);
  }
  std::int64_t shim_pid(const std::string& id) const { return started(id, shim::status::kShimPid); }

  void kill_shim(const std::string& id) const {
    const auto shim = open_process({shim_pid(id), started(id, shim::status::kShimPidStart)});
    ASSERT_TRUE(signal_process(shim, SIGKILL).has_value());
    ASSERT_TRUE(wait_for_end(shim, std::chrono::seconds(20)));
  }

  static std::string read_proc(std::int64_t pid, const char* name) {
    return base::read_file("/proc/" + std::to_string(pid) + "/" + name).value_or("");
  }

  // Everything on the machine that bears this test's short id or lies in its folder, but for what the runtime keeps.
  std::vector<std::string> traces() const {
    std::vector<std::string> found;
    const auto& id = oci_.options().cluster_short_id;
    std::istringstream mounts(base::read_file("/proc/self/mountinfo").value_or(""));
    for (std::string line; std::getline(mounts, line);) {
      if (line.find(oci_.folder().string()) != line.npos) found.push_back("mount " + line);
    }
    const auto layout = detect_cgroup_layout();
    for (const auto& hierarchy : layout->hierarchies) {
      if (fs::exists(hierarchy + "/orchion-" + id)) found.push_back("cgroup " + hierarchy);
    }
    // What was made while a hierarchy was hidden lies below its mount, where nobody would ever look.
    const auto below = base::run_process(
        {.arguments = {"unshare", "-m", "sh", "-c",
                       "umount -l /sys/fs/cgroup/unified 2>/dev/null; ls -d /sys/fs/cgroup/*/orchion-" + id}});
    if (below && below->exit_code == 0 && layout->mode == CgroupLayout::Mode::kHybrid)
      found.push_back("hidden " + below->standard_output);
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const auto command = base::read_file(entry.path() / "cmdline").value_or("");
      if (command.find(id + "/") != command.npos) found.push_back("process " + entry.path().string());
    }
    for (const auto& entry : fs::recursive_directory_iterator(oci_.options().data_folder)) {
      const auto path = entry.path().lexically_relative(oci_.options().data_folder).string();
      if (!path.starts_with("shim") && !path.starts_with("seccomp") && path != "logs") found.push_back("file " + path);
    }
    for (const auto& entry : fs::recursive_directory_iterator(oci_.options().state_folder)) {
      const auto path = entry.path().lexically_relative(oci_.options().state_folder).string();
      if (path != "exec") found.push_back("state " + path);
    }
    return found;
  }

 private:
  explicit OciRuntimeTest(std::unique_ptr<OciFactory> factory) : RuntimeTest(nullptr), oci_(*factory) {
    factory_ = std::move(factory);
    reopen();
  }

 protected:
  OciFactory& oci_;
};

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

TEST_F(OciRuntimeTest, AnEndedContainerHoldsNothingInTheKernel) {
  const auto config = shell("exit 0");
  start(config);
  wait(config.id);
  for (const auto& trace : traces()) {
    EXPECT_THAT(trace, Not(testing::StartsWith("process")));
    EXPECT_THAT(trace, Not(testing::StartsWith("mount")));
  }
  const auto layout = *detect_cgroup_layout();
  for (const auto& hierarchy : layout.hierarchies)
    EXPECT_FALSE(fs::exists(hierarchy + "/orchion-" + oci_.options().cluster_short_id + "/" + config.id));
}

TEST_F(OciRuntimeTest, TheProcessIsConfined) {
  const auto script =
      "grep -E 'NoNewPrivs|Seccomp:|CapEff|CapBnd' /proc/self/status; "
      "cat /proc/kcore | wc -c; echo 1 > /proc/sys/kernel/hostname || echo read-only; "
      "unshare -m true || echo no unshare; echo $$";
  const auto config = shell(script);
  const auto said = run_script(config);
  EXPECT_THAT(said, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(said, HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(said, HasSubstr("CapEff:\t00000000a80425fb\n")) << "Docker's set";
  EXPECT_THAT(said, HasSubstr("CapBnd:\t00000000a80425fb\n"));
  EXPECT_THAT(said, HasSubstr("\n0\n")) << "kcore is masked";
  EXPECT_THAT(said, HasSubstr("read-only"));
  EXPECT_THAT(said, HasSubstr("no unshare"));
  EXPECT_THAT(said, testing::EndsWith("\n1\n")) << "its own pid namespace";

  const auto host = shell("sleep 1000");
  start(host);
  const auto exec_said =
      exec(host.id, {.arguments = {"grep", "-E", "NoNewPrivs|Seccomp:|CapEff", "/proc/self/status"}});
  EXPECT_THAT(exec_said.out, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(exec_said.out, HasSubstr("Seccomp:\t2\n")) << "an exec is confined as well";
  EXPECT_THAT(exec_said.out, HasSubstr("CapEff:\t00000000a80425fb\n"));
}

TEST_F(OciRuntimeTest, TheNetworksFilesAreTheContainersOwn) {
  auto config =
      shell("hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf; echo more >> /etc/hosts && echo written");
  config.hostname = "web-1";
  config.nameservers = {"10.1.2.3"};
  config.search_domains = {"stack.orchion.internal"};
  config.hosts = {{"host.docker.internal", "10.1.0.1"}};
  const auto said = run_script(config);
  EXPECT_THAT(said, testing::StartsWith("web-1\nweb-1\n"));
  EXPECT_THAT(said, HasSubstr("10.1.0.1\thost.docker.internal\n"));
  EXPECT_THAT(said, HasSubstr("nameserver 10.1.2.3\nsearch stack.orchion.internal\n"));
  EXPECT_THAT(said, HasSubstr("written"));
}

TEST_F(OciRuntimeTest, UsersAreLookedUpInTheImage) {
  auto config = shell("id; echo $HOME");
  config.user = "user";
  EXPECT_EQ(run_script(config), "uid=1000(user) gid=1000(user) groups=29(audio),44(video),1000(user)\n/home/user\n");
  auto unknown = shell("id");
  unknown.user = "nobody-here";
  EXPECT_EQ(run(runtime().prepare(unknown)).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(fs::exists(bundle(unknown.id))) << "nothing half-made";
}

TEST_F(OciRuntimeTest, AnOrdinaryUserCanWalkTheRoot) {
  auto config = shell("ls / > /dev/null && touch /tmp/x && echo fine");
  config.user = "user";
  EXPECT_EQ(run_script(config), "fine\n");
}

TEST_F(OciRuntimeTest, MountsAndAReadOnlyRoot) {
  const auto shared = oci_.folder() / "shared";
  fs::create_directory(shared);
  ASSERT_TRUE(base::write_file(shared / "file", "from the host\n").has_value());
  auto config = shell(
      "cat /data/file; touch /data/x || echo data read-only; touch /x || echo root read-only; "
      "touch /scratch/x && echo scratch; echo new > /made/here/file");
  fs::create_directory(oci_.folder() / "made");
  config.read_only_root = true;
  config.mounts = {{.source = shared, .target = "/data", .read_only = true},
                   {.type = MountPoint::Type::kTmpfs, .target = "/scratch", .tmpfs_bytes = 1 << 20},
                   {.source = oci_.folder() / "made", .target = "/made/here"}};
  EXPECT_EQ(run_script(config), "from the host\ndata read-only\nroot read-only\nscratch\n");
  EXPECT_EQ(base::read_file(oci_.folder() / "made/file").value_or(""), "new\n");
}

TEST_F(OciRuntimeTest, TheWorkingFolderIsMadeWhereTheImageHasNone) {
  auto config = shell("pwd");
  config.working_dir = "/srv/app";
  EXPECT_EQ(run_script(config), "/srv/app\n");
}

TEST_F(OciRuntimeTest, TheNetworkNamespaceIsJoinedByPath) {
  const auto name = "orchion-" + oci_.options().cluster_short_id;
  ASSERT_TRUE(base::run_checked({.arguments = {"ip", "netns", "add", name}}).has_value());
  auto config = shell("ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
  config.network_namespace = "/run/netns/" + name;
  EXPECT_EQ(run_script(config), "lo\n0\n");
  EXPECT_TRUE(base::run_checked({.arguments = {"ip", "netns", "del", name}}).has_value());
}

TEST_F(OciRuntimeTest, ManyLayersWithLongNamesMount) {
  auto config = shell("cat /top /bottom; ls / | grep -c layer; test -e /etc/group || echo whited out");
  const auto folder = oci_.folder() / std::string(200, 'n');
  for (int i = 0; i < 120; ++i) {
    const auto layer = folder / ("layer" + std::to_string(i));
    fs::create_directories(layer);
    std::ofstream(layer / ("layer" + std::to_string(i)));
    std::ofstream(layer / "top") << "layer " << i << "\n";
    if (i == 0) std::ofstream(layer / "bottom") << "lowest\n";
    config.layers.push_back(layer);
  }
  fs::create_directories(config.layers.back() / "etc");
  ASSERT_EQ(::mknod((config.layers.back() / "etc/group").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  EXPECT_EQ(run_script(config), "layer 119\nlowest\n120\nwhited out\n");
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
  EXPECT_THAT(read_proc(shim_pid(config.id), "cgroup"), HasSubstr(own + "/shims"));
  const auto memory = read_proc(shim_pid(config.id), "smaps_rollup");
  const auto at = memory.find("\nPss:");
  ASSERT_NE(at, memory.npos);
  EXPECT_LT(std::stoi(memory.substr(at + 5)), 700) << "KiB for each container";
}

TEST_F(OciRuntimeTest, LimitsReachTheKernel) {
  auto config = shell("sleep 1000");
  config.limits = {.nano_cpus = 250'000'000, .memory_bytes = 32 << 20, .pids = 17};
  const auto info = start(config);
  const auto layout = *detect_cgroup_layout();
  const auto group = "/orchion-" + oci_.options().cluster_short_id + "/" + config.id;
  const auto v2 = layout.mode == CgroupLayout::Mode::kV2;
  const auto memory = layout.memory + group + (v2 ? "/memory.max" : "/memory.limit_in_bytes");
  EXPECT_EQ(base::read_file(memory).value_or(""), std::to_string(32 << 20) + "\n");
  EXPECT_GT(info.pid, 0);
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
  const auto shim = install_shim(oci_.options().data_folder / "shim");
  ASSERT_TRUE(shim.has_value());
  BundleStore store(oci_.options(), *detect_cgroup_layout(), *SeccompProfiles::load_default_profile());
  {
    const auto begun = begin_start(store, *shim, config.id, 1);
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
  const auto shim = install_shim(oci_.options().data_folder / "shim");
  BundleStore store(oci_.options(), *detect_cgroup_layout(), *SeccompProfiles::load_default_profile());
  {
    const auto begun = begin_start(store, *shim, config.id, 1);
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
