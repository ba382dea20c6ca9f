// Limits, each seen from inside a container or in what the kernel says of it.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/process.h"
#include "node/runtimes/conformance/cgroup_view.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/features.h"

namespace orchion::node::runtimes {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Seconds = std::chrono::duration<double>;

constexpr const char* kBusy = "while :; do :; done";

// Until the process has used so much more of a processor; how long that took, negative where it takes too long.
Seconds time_until_used(std::int64_t pid, double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  const auto used = cpu_seconds(pid);
  while (cpu_seconds(pid) < used + seconds) {
    if (std::chrono::steady_clock::now() > begin + std::chrono::seconds(60)) return Seconds(-1);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return std::chrono::steady_clock::now() - begin;
}

// A disk of this node, with its number as the kernel writes it: "254:0".
struct Disk {
  fs::path path;
  std::string number;
};

std::optional<Disk> find_disk() {
  for (const auto& entry : fs::directory_iterator("/sys/block")) {
    const auto path = fs::path("/dev") / entry.path().filename();
    auto number = base::read_file(entry.path() / "dev").value_or("");
    if (!fs::is_block_file(path) || number.empty()) continue;
    number.pop_back();
    return Disk{path, number};
  }
  return std::nullopt;
}

// A network namespace with a name; gone with it.
class NamedNetwork {
 public:
  NamedNetwork() : name_("oc" + base::Random::from_system().text(8)) { ip("add"); }
  ~NamedNetwork() { ip("del"); }
  NamedNetwork(const NamedNetwork&) = delete;
  NamedNetwork& operator=(const NamedNetwork&) = delete;
  fs::path path() const { return "/run/netns/" + name_; }

 private:
  void ip(const char* what) const {
    const auto done = base::run_checked({.arguments = {"ip", "netns", what, name_}});
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }
  std::string name_;
};

}  // namespace

TEST_P(RuntimeConformance, TheMemoryLimitKillsAndSaysSo) {
  if (!factory_->real()) return;
  auto config = shell("x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived");
  config.limits.memory_bytes = 16 << 20;
  if (!offers(feature::kMemory, config)) return;
  start(config);
  const auto exit = wait(config.id);
  EXPECT_TRUE(exit.oom_killed);
  EXPECT_EQ(exit.code, 128 + SIGKILL);
  EXPECT_EQ(output(config.id), "");
}

// The machine may have no swap to be limited: what the kernel keeps to is what it says.
TEST_P(RuntimeConformance, SwapIsLimitedWithMemory) {
  if (!factory_->real()) return;
  auto with = shell("sleep 1000"), without = shell("sleep 1000");
  with.limits = {.memory_bytes = 32 << 20, .swap_bytes = 48 << 20};
  without.limits.memory_bytes = 32 << 20;
  if (!offers(feature::kSwap, with)) return;
  const auto swap_of = [&](const ContainerConfig& config) {
    const CgroupView view(start(config).pid);
    const auto said = std::stoll("0" + view.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"));
    return view.is_v1("memory") ? said - (32 << 20) : said;
  };
  EXPECT_EQ(swap_of(with), 16 << 20);
  EXPECT_EQ(swap_of(without), 0);
}

TEST_P(RuntimeConformance, TheProcessorsTimeIsRationed) {
  if (!factory_->real()) return;
  auto config = shell(kBusy);
  config.limits.nano_cpus = 100'000'000;
  if (!offers(feature::kCpus, config)) return;
  const auto pid = start(config).pid;
  // A tenth of a processor: 10 ms of every 100, and not all periods at the edges are whole.
  EXPECT_GE(time_until_used(pid, 0.1), Seconds(0.6));
  EXPECT_THAT(CgroupView(pid).read("cpu", "cpu.stat", "cpu.stat"), testing::ContainsRegex("nr_throttled [1-9]"));
}

TEST_P(RuntimeConformance, TheProcessorIsSharedByWeight) {
  if (!factory_->real()) return;
  auto heavy = shell(kBusy), light = shell(kBusy);
  heavy.limits = {.cpu_shares = 2048, .cpuset = "0"};
  light.limits = {.cpu_shares = 128, .cpuset = "0"};
  if (!offers(feature::kCpuShares, heavy)) return;
  const auto heavy_pid = start(heavy).pid, light_pid = start(light).pid;
  const auto before = cpu_seconds(light_pid);
  ASSERT_GE(time_until_used(heavy_pid, 0.3), Seconds(0));
  EXPECT_LT(cpu_seconds(light_pid) - before, 0.1) << "its share is 0.02";
}

TEST_P(RuntimeConformance, TheProcessorsAreTheOnesNamed) {
  if (!factory_->real()) return;
  auto config = shell("grep Cpus_allowed_list /proc/self/status");
  config.limits.cpuset = "0";
  if (!offers(feature::kCpuset, config)) return;
  EXPECT_EQ(said_by(config), "Cpus_allowed_list:\t0\n");
}

TEST_P(RuntimeConformance, ThePidsLimitHolds) {
  if (!factory_->real()) return;
  auto config = shell("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; echo all started");
  config.limits.pids = 6;
  if (!offers(feature::kPids, config)) return;
  EXPECT_EQ(said_by(config), "");
}

TEST_P(RuntimeConformance, UlimitsAreSetAndHold) {
  if (!factory_->real()) return;
  auto config = shell(
      "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -n 300 2>/dev/null || echo no more; "
      "(head -c 2000000 /dev/zero > large) 2>/dev/null; stat -c %s large");
  config.ulimits = {{"nofile", 100, 200}, {"core", 0, 0}, {"fsize", 1 << 20, 1 << 20}, {"nproc", 20000, 20000}};
  if (!offers(feature::kUlimits, config)) return;
  EXPECT_EQ(said_by(config), "100\n200\n0\nno more\n1048576\n");
}

TEST_P(RuntimeConformance, DisksAreReadAndWrittenAtTheirRates) {
  if (!factory_->real()) return;
  const auto disk = find_disk();
  ASSERT_TRUE(disk.has_value()) << "this machine has no disk whose rates could be limited";
  auto config = shell("sleep 1000");
  config.limits.block_io = {.read_bytes = {{disk->path, 1 << 20}},
                            .read_operations = {{disk->path, 100}},
                            .write_bytes = {{disk->path, 2 << 20}},
                            .write_operations = {{disk->path, 200}}};
  if (!offers(feature::kBlockRates, config)) return;
  const CgroupView view(start(config).pid);
  if (!view.is_v1("blkio")) {
    EXPECT_EQ(view.read("io", "", "io.max"), disk->number + " rbps=1048576 wbps=2097152 riops=100 wiops=200");
    return;
  }
  const auto rate = [&](const char* name) {
    return view.read("blkio", std::string("blkio.throttle.") + name + "_device", "");
  };
  EXPECT_EQ(rate("read_bps"), disk->number + " 1048576");
  EXPECT_EQ(rate("write_bps"), disk->number + " 2097152");
  EXPECT_EQ(rate("read_iops"), disk->number + " 100");
  EXPECT_EQ(rate("write_iops"), disk->number + " 200");
}

TEST_P(RuntimeConformance, DisksAreSharedByWeight) {
  if (!factory_->real()) return;
  auto config = shell("sleep 1000");
  config.limits.block_io.weight = 300;
  if (!offers(feature::kBlockWeight, config)) return;
  const CgroupView view(start(config).pid);
  auto weight = view.read(view.is_v1("blkio") ? "blkio" : "io", "blkio.weight", "io.weight");
  if (weight.empty()) weight = view.read(view.is_v1("blkio") ? "blkio" : "io", "blkio.bfq.weight", "io.bfq.weight");
  EXPECT_THAT(weight, testing::AnyOf("300", "default 300", HasSubstr("2970"))) << "the last is 300 as v2 counts";
}

TEST_P(RuntimeConformance, AReadOnlyRootStaysAsItIs) {
  if (!factory_->real()) return;
  auto config =
      shell("touch /x 2>/dev/null || echo root; touch /etc/x 2>/dev/null || echo etc; touch /tmp/x && echo tmp");
  config.read_only_root = true;
  if (factory_->contained()) config.mounts = {{.type = MountPoint::Type::kTmpfs, .target = "/tmp"}};
  if (!offers(feature::kReadOnlyRoot, config)) return;
  EXPECT_EQ(said_by(config), "root\netc\ntmp\n");
}

TEST_P(RuntimeConformance, ATmpfsIsAsLargeAsItMayBe) {
  if (!factory_->real()) return;
  auto config = shell(
      "df -k /scratch | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; stat -c %a /scratch; "
      "head -c 2000000 /dev/zero > /scratch/x 2>/dev/null || echo full; stat -c %s /scratch/x");
  config.mounts = {
      {.type = MountPoint::Type::kTmpfs, .target = "/scratch", .tmpfs_bytes = 1 << 20, .tmpfs_mode = 0700}};
  if (!offers(feature::kTmpfs, config)) return;
  EXPECT_EQ(said_by(config), "1024\n700\nfull\n1048576\n");
}

TEST_P(RuntimeConformance, SharedMemoryIsAsLargeAsItMayBe) {
  if (!factory_->real()) return;
  auto config = shell(
      "df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; "
      "head -c 9000000 /dev/zero > /dev/shm/x 2>/dev/null || echo full");
  config.shm_bytes = 8 << 20;
  if (!offers(feature::kShm, config)) return;
  EXPECT_EQ(said_by(config), "8192\nfull\n");
}

TEST_P(RuntimeConformance, SysctlsAreTheContainersOwn) {
  if (!factory_->real()) return;
  const NamedNetwork network;
  auto config = shell("cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni /proc/sys/kernel/shmmax");
  config.network_namespace = network.path();
  config.sysctls = {{"net.core.somaxconn", "77"}, {"kernel.shmmni", "99"}, {"kernel.shmmax", "1048576"}};
  if (!offers(feature::kSysctls, config)) return;
  const auto own = base::read_file("/proc/sys/kernel/shmmni").value_or("");
  EXPECT_EQ(said_by(config), "77\n99\n1048576\n");
  EXPECT_EQ(base::read_file("/proc/sys/kernel/shmmni").value_or(""), own) << "the node's stay as they were";
}

}  // namespace orchion::node::runtimes
