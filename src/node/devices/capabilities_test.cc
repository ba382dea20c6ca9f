#include "node/devices/capabilities.h"

#include <map>

#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "node/devices/cgroups.h"

namespace orchion::node::devices {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

// A machine as files: 4 CPUs allowed, 16 GiB, 12 free; cases add their control groups.
class Machine {
 public:
  explicit Machine(const std::map<std::string, std::string>& files)
      : root_(std::filesystem::temp_directory_path() / ("orchion-machine-" + base::Random::from_system().text(10))) {
    put("proc/self/status", "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-2,5\n");
    put("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:   12582912 kB\n");
    put("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    for (const auto& [path, content] : files) put(path, content);
  }
  ~Machine() { (void)base::remove_tree(root_); }

  const std::filesystem::path& root() const { return root_; }

 private:
  void put(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_ / path).parent_path());
    if (auto written = base::write_file(root_ / path, content); !written) throw std::runtime_error(path);
  }

  std::filesystem::path root_;
};

const std::string kMountV2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string kMountV1 =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
const std::string kSelfV1 = "5:cpu,cpuacct:/a/b\n4:memory:/a/b\n1:name=systemd:/a\n";

struct Case {
  const char* name;
  std::map<std::string, std::string> files;
  int version;
  std::int64_t nano_cpus;
  std::int64_t memory;
  std::int64_t available;
};

const Case kCases[] = {
    {"no control groups at all", {}, 0, 4'000'000'000, 16 * kGiB, 12 * kGiB},
    {"v2 without limits",
     {{"proc/self/mountinfo", kMountV2},
      {"proc/self/cgroup", "0::/user.slice\n"},
      {"sys/fs/cgroup/user.slice/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/user.slice/memory.max", "max\n"}},
     2,
     4'000'000'000,
     16 * kGiB,
     12 * kGiB},
    {"v2: the parent's limits hold too, inactive cache is free",
     {{"proc/self/mountinfo", kMountV2},
      {"proc/self/cgroup", "0::/a/b\n"},
      {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"},
      {"sys/fs/cgroup/a/memory.max", "4294967296\n"},
      {"sys/fs/cgroup/a/memory.current", "3221225472\n"},
      {"sys/fs/cgroup/a/memory.stat", "anon 5\nfile 7\ninactive_file 1073741824\nactive_file 4\n"},
      {"sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"},
      {"sys/fs/cgroup/a/b/memory.max", "8589934592\n"},
      {"sys/fs/cgroup/a/b/memory.current", "0\n"}},
     2,
     1'500'000'000,
     4 * kGiB,
     2 * kGiB},
    {"v2: a limit wider than the machine changes nothing",
     {{"proc/self/mountinfo", kMountV2},
      {"proc/self/cgroup", "0::/\n"},
      {"sys/fs/cgroup/cpu.max", "6400000 100000\n"},
      {"sys/fs/cgroup/memory.max", "1099511627776\n"},
      {"sys/fs/cgroup/memory.current", "1\n"}},
     2,
     4'000'000'000,
     16 * kGiB,
     12 * kGiB},
    {"v1: -1 and the huge number mean no limit",
     {{"proc/self/mountinfo", kMountV1},
      {"proc/self/cgroup", kSelfV1},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"}},
     1,
     4'000'000'000,
     16 * kGiB,
     12 * kGiB},
    {"v1 limits",
     {{"proc/self/mountinfo", kMountV1},
      {"proc/self/cgroup", kSelfV1},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "50000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n"},
      {"sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1610612736\n"},
      {"sys/fs/cgroup/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 536870912\n"}},
     1,
     500'000'000,
     2 * kGiB,
     kGiB},
    {"hybrid: the limits are in v1, v2 is empty",
     {{"proc/self/mountinfo", kMountV1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
      {"proc/self/cgroup", kSelfV1 + "0::/a\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "200000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
     3,
     2'000'000'000,
     16 * kGiB,
     12 * kGiB},
    {"a container that shares the host's cgroup namespace sees its own group as the top",
     {{"proc/self/mountinfo", "30 23 0:26 /docker/c1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"},
      {"proc/self/cgroup", "0::/docker/c1\n"},
      {"sys/fs/cgroup/cpu.max", "25000 100000\n"}},
     2,
     250'000'000,
     16 * kGiB,
     12 * kGiB},
    {"nonsense is ignored",
     {{"proc/self/mountinfo", "rubbish\n30 - cgroup2\n" + kMountV2},
      {"proc/self/cgroup", "x\n0:/\n0::/a:b\n"},
      {"sys/fs/cgroup/a:b/cpu.max", "many few\n"},
      {"sys/fs/cgroup/a:b/memory.max", "-\n"}},
     2,
     4'000'000'000,
     16 * kGiB,
     12 * kGiB},
};

TEST(Capabilities, RespectEveryKindOfControlGroup) {
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const Machine machine(c.files);
    const auto result = read_capabilities_below(machine.root());
    EXPECT_EQ(static_cast<int>(result.cgroup_version()), c.version);
    EXPECT_EQ(result.nano_cpus(), c.nano_cpus);
    EXPECT_EQ(result.memory_bytes(), c.memory);
    EXPECT_EQ(result.memory_available_bytes(), c.available);
    EXPECT_EQ(result.operating_system(), "Debian GNU/Linux 12 (bookworm)");
  }
}

TEST(Capabilities, FindsEscapedMountPoints) {
  const auto result = parse_hierarchies("30 23 0:26 / /my\\040groups rw - cgroup2 x rw\n", "0::/a\n");
  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result[0], (CgroupHierarchy{2, {}, "/my groups", "/a"}));
}

TEST(Capabilities, CountsCpuLists) {
  EXPECT_EQ(count_cpu_list("0"), 1);
  EXPECT_EQ(count_cpu_list("0-3,8\n"), 5);
  EXPECT_EQ(count_cpu_list("0,2-3,127"), 4);
  for (const char* bad : {"", "x", "3-1", "-1", "1-", "0-99999999999"})
    EXPECT_EQ(count_cpu_list(bad), std::nullopt) << bad;
}

TEST(Capabilities, ReadsOsRelease) {
  EXPECT_EQ(parse_os_release("NAME=Alpine\nPRETTY_NAME='Alpine Linux v3.18'\n"), "Alpine Linux v3.18");
  EXPECT_EQ(parse_os_release("PRETTY_NAME=\"A \\\"quoted\\\" name\"\n"), "A \"quoted\" name");
  EXPECT_EQ(parse_os_release("NAME=Plain\n"), "Plain");
  EXPECT_EQ(parse_os_release(""), "Linux");
}

TEST(Capabilities, NamesArchitecturesAsImagesDo) {
  EXPECT_EQ(image_architecture("x86_64"), "amd64");
  EXPECT_EQ(image_architecture("aarch64"), "arm64");
  EXPECT_EQ(image_architecture("armv7l"), "arm");
  EXPECT_EQ(image_architecture("riscv64"), "riscv64");
}

TEST(Capabilities, DescribeThisMachine) {
  v1::RuntimeInfo crun;
  crun.set_name("crun");
  const auto missing = std::filesystem::temp_directory_path() / "orchion-not-there" / "deeper";
  const auto result = read_capabilities(missing, {crun});
  EXPECT_GT(result.nano_cpus(), 0);
  EXPECT_LE(result.nano_cpus(), ::sysconf(_SC_NPROCESSORS_CONF) * 1'000'000'000);
  EXPECT_GT(result.memory_bytes(), 0);
  EXPECT_LE(result.memory_bytes(), ::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE));
  EXPECT_GT(result.memory_available_bytes(), 0);
  EXPECT_LE(result.memory_available_bytes(), result.memory_bytes());
  EXPECT_GT(result.disk_bytes(), 0);
  EXPECT_LE(result.disk_free_bytes(), result.disk_bytes());
  utsname names{};
  ASSERT_EQ(::uname(&names), 0);
  EXPECT_EQ(result.kernel(), names.release);
  EXPECT_EQ(result.hostname(), names.nodename);
  EXPECT_EQ(result.architecture(), host_architecture());
  EXPECT_FALSE(result.operating_system().empty());
  EXPECT_GT(result.cgroup_version(), 0u);
  ASSERT_EQ(result.runtimes_size(), 1);
  EXPECT_EQ(result.runtimes(0).name(), "crun");
}

}  // namespace
}  // namespace orchion::node::devices
