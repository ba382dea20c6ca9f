#include "node/devices/usage.h"

#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/random.h"
#include "node/devices/cgroups.h"

namespace orchion::node::devices {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Time kStart{std::chrono::hours(1)};

// A machine as files, on which process 7 is the container's first.
class Machine {
 public:
  explicit Machine(const std::map<std::string, std::string>& files)
      : root_(std::filesystem::temp_directory_path() / ("orchion-usage-" + base::Random::from_system().text(10))) {
    put("proc/7/stat", "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 9 9 20 0 3 0 5000 1000000 256 184467 1 1 0\n");
    put("proc/7/io", "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n");
    put("proc/7/net/dev",
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
        "    lo:     999       9    0    0    0     0          0         0      999       9    0\n"
        "  eth0:    1000       5    0    0    0     0          0         0      300       4    0\n"
        "  eth1:50       1    0    0    0     0          0         0      7       1    0\n");
    for (const auto& [path, content] : files) put(path, content);
  }
  ~Machine() { (void)base::remove_tree(root_); }

  void put(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_ / path).parent_path());
    if (auto written = base::write_file(root_ / path, content); !written) throw std::runtime_error(path);
  }
  const std::filesystem::path& root() const { return root_; }

  Usage usage() const {
    auto probe = UsageProbe::open(7, root_);
    EXPECT_TRUE(probe);
    const auto usage = probe->sample(kStart);
    EXPECT_TRUE(usage);
    return usage.value_or(Usage());
  }

 private:
  std::filesystem::path root_;
};

const std::string kV1 = "sys/fs/cgroup/";
const std::map<std::string, std::string> kFilesOfV1 = {
    {"proc/self/mountinfo",
     "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
     "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
     "36 31 0:33 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
     "37 31 0:34 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
     "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
     "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
    {"proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/agent\n3:blkio:/\n2:pids:/\n1:name=systemd:/\n0::/\n"},
    {"proc/7/cgroup", "5:cpu,cpuacct:/o/c1\n4:memory:/o/c1\n3:blkio:/o/c1\n2:pids:/o/c1\n1:name=systemd:/o/c1\n0::/\n"},
    {kV1 + "cpu,cpuacct/o/c1/cpuacct.usage", "1500000000\n"},
    {kV1 + "memory/o/c1/memory.usage_in_bytes", "10000\n"},
    {kV1 + "memory/o/c1/memory.stat", "cache 5\ninactive_file 1\ntotal_cache 5\ntotal_inactive_file 3000\n"},
    {kV1 + "memory/o/c1/memory.limit_in_bytes", "67108864\n"},
    {kV1 + "cpu,cpuacct/o/c1/cgroup.procs", "7\n9\n11\n"},
    {"proc/9/io", "read_bytes: 1\nwrite_bytes: 2\n"},
    {kV1 + "pids/o/c1/pids.current", "12\n"},
};

const std::map<std::string, std::string> kFilesOfV2 = {
    {"proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"},
    {"proc/self/cgroup", "0::/system.slice/orchion.service\n"},
    {"proc/7/cgroup", "0::/o/c1\n"},
    {"sys/fs/cgroup/o/c1/cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n"},
    {"sys/fs/cgroup/o/c1/memory.current", "10000\n"},
    {"sys/fs/cgroup/o/c1/memory.stat", "anon 5\ninactive_file 20000\nactive_file 4\n"},
    {"sys/fs/cgroup/o/c1/memory.max", "max\n"},
    {"sys/fs/cgroup/o/c1/io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2\n"},
    {"sys/fs/cgroup/o/c1/pids.current", "3\n"},
};

TEST(Usage, OfControlGroupsOfVersion1) {
  const auto usage = Machine(kFilesOfV1).usage();
  EXPECT_EQ(usage.cpu_nanoseconds, 1'500'000'000u);
  EXPECT_EQ(usage.memory_bytes, 7000) << "without the cache that could be dropped";
  EXPECT_EQ(usage.memory_limit_bytes, 64 << 20);
  EXPECT_EQ(usage.disk_read_bytes, 4097u) << "of all processes but the one that has just ended";
  EXPECT_EQ(usage.disk_written_bytes, 8194u);
  EXPECT_EQ(usage.processes, 12u);
  EXPECT_EQ(usage.network_received_bytes, 1050u) << "without the loopback";
  EXPECT_EQ(usage.network_sent_bytes, 307u);
}

TEST(Usage, OfControlGroupsOfVersion2) {
  const auto usage = Machine(kFilesOfV2).usage();
  EXPECT_EQ(usage.cpu_nanoseconds, 2'500'000'000u);
  EXPECT_EQ(usage.memory_bytes, 0) << "the two files aren't of one moment: never less than nothing";
  EXPECT_EQ(usage.memory_limit_bytes, 0);
  EXPECT_EQ(usage.disk_read_bytes, 11u);
  EXPECT_EQ(usage.disk_written_bytes, 22u);
  EXPECT_EQ(usage.processes, 3u);
}

TEST(Usage, OfASystemdInTheContainerThatMovedItselfDown) {
  auto files = kFilesOfV2;
  files["proc/7/cgroup"] = "0::/o/c1/init.scope\n";
  files["sys/fs/cgroup/o/c1/init.scope/pids.current"] = "1\n";
  EXPECT_EQ(Machine(files).usage().processes, 3u);
}

TEST(Usage, WithoutGroupsOfItsOwnTheProcessIsCounted) {
  auto files = kFilesOfV2;
  for (const char* group : {"/", "/system.slice/orchion.service", "/../elsewhere"}) {
    SCOPED_TRACE(group);
    files["proc/7/cgroup"] = std::string("0::") + group + "\n";
    files["sys/fs/cgroup/cpu.stat"] = "usage_usec 99000000\n";
    files["sys/fs/cgroup/system.slice/orchion.service/cpu.stat"] = "usage_usec 99000000\n";
    const auto usage = Machine(files).usage();
    EXPECT_EQ(usage.cpu_nanoseconds, 200 * 1'000'000'000ull / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
    EXPECT_EQ(usage.memory_bytes, 256 * ::sysconf(_SC_PAGESIZE));
    EXPECT_EQ(usage.processes, 3u);
    EXPECT_EQ(usage.disk_read_bytes, 4096u);
    EXPECT_EQ(usage.disk_written_bytes, 8192u);
  }
}

TEST(Usage, TheRateIsOfTheTimeBetweenTwoSamples) {
  Machine machine(kFilesOfV2);
  auto probe = UsageProbe::open(7, machine.root());
  ASSERT_TRUE(probe);
  ASSERT_TRUE(probe->sample(kStart));
  EXPECT_FALSE(probe->has_rate());
  machine.put("sys/fs/cgroup/o/c1/cpu.stat", "usage_usec 3000000\n");
  EXPECT_DOUBLE_EQ(probe->sample(kStart + seconds(1))->cpu_cores, 0.5);
  EXPECT_TRUE(probe->has_rate());
  EXPECT_DOUBLE_EQ(probe->sample(kStart + seconds(1))->cpu_cores, 0.5) << "no time has passed";
  machine.put("sys/fs/cgroup/o/c1/cpu.stat", "usage_usec 1\n");
  EXPECT_DOUBLE_EQ(probe->sample(kStart + seconds(2))->cpu_cores, 0) << "never less than nothing";
}

TEST(Usage, WhatWasWrittenStaysWritten) {
  Machine machine(kFilesOfV1);
  auto probe = UsageProbe::open(7, machine.root());
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->sample(kStart)->disk_written_bytes, 8194u);
  machine.put("sys/fs/cgroup/cpu,cpuacct/o/c1/cgroup.procs", "7\n");
  EXPECT_EQ(probe->sample(kStart)->disk_written_bytes, 8194u);
}

TEST(Usage, NonsenseIsZero) {
  EXPECT_EQ(parse_network_devices("x\n eth0: many few\n:\n eth1: a b c d e f g h i j\n"), ByteCounts());
  EXPECT_EQ(parse_io_stat("8:0 rbytes= wbytes=-5\n8:16\n"), ByteCounts());
  EXPECT_FALSE(parse_process_stat("7 (x S 1"));
  EXPECT_FALSE(parse_process_stat("7 (x) S 1 2"));
}

TEST(Usage, OfNoProcessIsNotFound) {
  EXPECT_EQ(UsageProbe::open(0).error().code, base::Code::kNotFound);
  EXPECT_EQ(UsageProbe::open(-1).error().code, base::Code::kNotFound);
  EXPECT_EQ(UsageProbe::open(8, Machine(kFilesOfV2).root()).error().code, base::Code::kNotFound);
}

// A child in control groups of its own, in every hierarchy that takes it.
class Child {
 public:
  explicit Child(std::size_t bytes) {
    const auto mounts = base::read_file("/proc/self/mountinfo").value_or("");
    const auto ours = base::read_file("/proc/self/cgroup").value_or("");
    pid_ = ::fork();
    if (pid_ == 0) burn(bytes);
    for (const auto& hierarchy : parse_hierarchies(mounts, ours)) {
      if (hierarchy.mount_point.filename() == "cpuset") continue;
      const auto group = hierarchy.mount_point / name_;
      std::error_code error;
      if (!std::filesystem::create_directory(group, error)) continue;
      groups_.push_back(group);
      std::ofstream(group / "cgroup.procs") << pid_;
    }
  }
  ~Child() {
    end();
    for (const auto& group : groups_)
      while (::rmdir(group.c_str()) != 0 && errno == EBUSY) ::usleep(1000);
  }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  // Its memory is touched anew each time round, so that it belongs to the group in the end.
  [[noreturn]] static void burn(std::size_t bytes) {
    while (true) {
      std::vector<char> memory(bytes, 'x');
      for (int i = 0; i < 100; ++i) {
        volatile char* at = memory.data();
        for (std::size_t offset = 0; offset < bytes; offset += 64) at[offset] = 'y';
      }
    }
  }

  const std::string name_ = "orchion-usage-" + base::Random::from_system().text(10);
  pid_t pid_ = -1;
  std::vector<std::filesystem::path> groups_;
};

TEST(Usage, OfARealProcess) {
  constexpr std::int64_t kMiB = 1 << 20;
  Child child(24 * kMiB);
  auto probe = UsageProbe::open(child.pid());
  ASSERT_TRUE(probe);
  const base::SystemClock clock;
  Usage usage;
  double cores = 0;
  const auto deadline = clock.now() + seconds(30);
  while (clock.now() < deadline && (usage.memory_bytes < 24 * kMiB || usage.cpu_nanoseconds < 200'000'000)) {
    ::usleep(50'000);
    const auto sample = probe->sample(clock.now());
    ASSERT_TRUE(sample);
    usage = *sample;
    // On a busy machine it may have no turn between two samples.
    cores = std::max(cores, usage.cpu_cores);
  }
  EXPECT_GE(usage.memory_bytes, 24 * kMiB);
  EXPECT_LT(usage.memory_bytes, 200 * kMiB);
  EXPECT_GE(usage.cpu_nanoseconds, 200'000'000u);
  EXPECT_GT(cores, 0);
  EXPECT_LT(cores, 1.5) << "it has one thread";
  EXPECT_EQ(usage.processes, 1u);
  EXPECT_EQ(usage.network_sent_bytes, 0u) << "it is in our own network";
  child.end();
  EXPECT_EQ(probe->sample(clock.now()).error().code, base::Code::kNotFound);
}

std::size_t open_files() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::chrono::nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// ORCHION_USAGE_PID=N is the first process of a container to measure with.
TEST(Usage, SamplesLeaveNothingOpen) {
  constexpr int kSamples = 1000;
  const char* given = std::getenv("ORCHION_USAGE_PID");
  Child child(1 << 20);
  auto probe = UsageProbe::open(given != nullptr ? std::atoi(given) : child.pid());
  ASSERT_TRUE(probe);
  const base::SystemClock clock;
  ASSERT_TRUE(probe->sample(clock.now()));
  const auto files = open_files();
  const auto before = cpu_time();
  for (int i = 0; i < kSamples; ++i) ASSERT_TRUE(probe->sample(clock.now()));
  const auto each = (cpu_time() - before) / kSamples;
  EXPECT_EQ(open_files(), files);
  RecordProperty("nanoseconds_a_sample", static_cast<int>(each.count()));
  std::cout << "CPU time of a sample: " << each.count() / 1000.0 << " µs\n";
}

}  // namespace
}  // namespace orchion::node::devices
