#include "node/devices/usage.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/devices/cgroups.h"
#include "node/devices/text.h"

namespace orchion::node::devices {

namespace {

constexpr std::size_t kReadBytes = 8192;

// Version 1 writes "no limit" as the largest page-aligned number.
constexpr std::int64_t kUnlimited = std::int64_t{1} << 62;

// The whole file into `text`, whose memory is used again and again. False where it can't be read.
bool read_into(int folder, const char* path, std::string& text) {
  const base::UniqueFd file(::openat(folder, path, O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  std::size_t length = 0;
  while (true) {
    text.resize(length + kReadBytes);
    const auto got = ::read(file.get(), text.data() + length, kReadBytes);
    if (got < 0 && errno == EINTR) continue;
    length += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    if (got <= 0) text.resize(length);
    if (got <= 0) return got == 0;
  }
}

std::uint64_t unsigned_number(std::string_view text) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(parse_number(trim(text)).value_or(0), 0));
}

std::uint64_t unsigned_value(std::string_view text, std::string_view name, char separator) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(find_number(text, name, separator).value_or(0), 0));
}

bool is_same_namespace(int process, const std::filesystem::path& root) {
  struct stat theirs{};
  struct stat ours{};
  if (::fstatat(process, "ns/net", &theirs, 0) != 0) return false;
  if (::stat((root / "proc/self/ns/net").c_str(), &ours) != 0) return false;
  return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

// The folders of a container's own control groups.
class OwnGroups {
 public:
  OwnGroups(const std::filesystem::path& root, std::string_view mountinfo, std::string_view ours,
            std::string_view theirs)
      : root_(root), ours_(parse_hierarchies(mountinfo, ours)), theirs_(parse_hierarchies(mountinfo, theirs)) {}

  // The file of version 1 where the controller is mounted so, else that of version 2; it is there.
  std::pair<std::string, int> find(const char* controller, const std::vector<const char*>& v1, const char* v2) const {
    for (std::size_t i = 0; i < theirs_.size(); ++i) {
      if (theirs_[i].version != 1 ||
          std::ranges::find(theirs_[i].controllers, controller) == theirs_[i].controllers.end())
        continue;
      for (const char* name : v1)
        if (auto path = file(i, name); !path.empty()) return {path, 1};
    }
    for (std::size_t i = 0; i < theirs_.size(); ++i) {
      if (theirs_[i].version != 2) continue;
      if (auto path = file(i, v2); !path.empty()) return {path, 2};
    }
    return {"", 0};
  }

 private:
  std::string file(std::size_t i, const char* name) const {
    auto group = theirs_[i].group;
    // A systemd in the container has moved itself one level down.
    if (group.filename() == "init.scope") group = group.parent_path();
    if (group == "/" || group == ours_[i].group || group.native().find("/..") != std::string::npos) return {};
    const auto path = root_ / theirs_[i].mount_point.relative_path() / group.relative_path() / name;
    std::error_code error;
    return std::filesystem::exists(path, error) ? path.string() : std::string();
  }

  std::filesystem::path root_;
  std::vector<CgroupHierarchy> ours_;
  std::vector<CgroupHierarchy> theirs_;  // the same mounts in the same order
};

}  // namespace

ByteCounts parse_network_devices(std::string_view text) {
  ByteCounts counts;
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(0, colon)) == "lo") continue;
    const auto fields = split(line.substr(colon + 1), ' ');
    if (fields.size() < 9) continue;
    counts.in += unsigned_number(fields[0]);
    counts.out += unsigned_number(fields[8]);
  }
  return counts;
}

ByteCounts parse_io_stat(std::string_view text) {
  ByteCounts counts;
  for (const auto line : split(text, '\n')) {
    for (const auto word : split(line, ' ')) {
      if (word.starts_with("rbytes=")) counts.in += unsigned_number(word.substr(7));
      if (word.starts_with("wbytes=")) counts.out += unsigned_number(word.substr(7));
    }
  }
  return counts;
}

std::optional<ProcessStat> parse_process_stat(std::string_view line) {
  // The program's name, in parentheses, may hold anything.
  const auto end = line.rfind(')');
  if (end == std::string_view::npos) return std::nullopt;
  const auto fields = split(trim(line.substr(end + 1)), ' ');
  if (fields.size() < 22) return std::nullopt;
  ProcessStat stat;
  stat.cpu_ticks = unsigned_number(fields[11]) + unsigned_number(fields[12]);
  stat.threads = static_cast<std::uint32_t>(unsigned_number(fields[17]));
  stat.resident_pages = static_cast<std::int64_t>(unsigned_number(fields[21]));
  return stat;
}

base::Result<UsageProbe> UsageProbe::open(std::int64_t pid, const std::filesystem::path& root) {
  const auto folder = root / "proc" / std::to_string(pid);
  base::UniqueFd process(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string groups;
  if (pid <= 0 || !process || !read_into(process.get(), "cgroup", groups))
    return base::fail(base::Code::kNotFound, fmt::format("there is no process {} any more", pid));
  const bool own_network = !is_same_namespace(process.get(), root);
  return UsageProbe((root / "proc").string(), std::move(process), find_sources(root, groups), own_network);
}

UsageProbe::Sources UsageProbe::find_sources(const std::filesystem::path& root, const std::string& groups) {
  const auto mounts = base::read_file(root / "proc/self/mountinfo").value_or("");
  const auto ours = base::read_file(root / "proc/self/cgroup").value_or("");
  const OwnGroups own(root, mounts, ours, groups);
  const auto find = [&](const char* controller, const std::vector<const char*>& v1, const char* v2) {
    auto [path, version] = own.find(controller, v1, v2);
    return Source{std::move(path), version};
  };
  Sources sources;
  sources.cpu = find("cpuacct", {"cpuacct.usage"}, "cpu.stat");
  sources.memory = find("memory", {"memory.usage_in_bytes"}, "memory.current");
  sources.memory_stat = find("memory", {"memory.stat"}, "memory.stat");
  sources.io_stat = find("io", {}, "io.stat");
  sources.members = find("cpuacct", {"cgroup.procs"}, "cgroup.procs");
  sources.processes = find("pids", {"pids.current"}, "pids.current");
  // A new limit is a new task.
  const auto limit = find("memory", {"memory.limit_in_bytes"}, "memory.max");
  const auto text = limit.version == 0 ? "" : base::read_file(limit.path, 4096).value_or("");
  const auto bytes = parse_number(trim(text)).value_or(0);
  sources.memory_limit_bytes = bytes >= kUnlimited ? 0 : bytes;
  return sources;
}

bool UsageProbe::read_cpu(Usage& usage) {
  if (sources_.cpu.version == 0) return true;
  if (!read_into(AT_FDCWD, sources_.cpu.path.c_str(), text_)) return false;
  usage.cpu_nanoseconds =
      sources_.cpu.version == 1 ? unsigned_number(text_) : unsigned_value(text_, "usage_usec", ' ') * 1000;
  return true;
}

void UsageProbe::read_memory(Usage& usage) {
  usage.memory_limit_bytes = sources_.memory_limit_bytes;
  if (sources_.memory.version == 0 || !read_into(AT_FDCWD, sources_.memory.path.c_str(), text_)) return;
  usage.memory_bytes = parse_number(trim(text_)).value_or(0);
  if (!read_into(AT_FDCWD, sources_.memory_stat.path.c_str(), text_)) return;
  const char* cache = sources_.memory_stat.version == 1 ? "total_inactive_file" : "inactive_file";
  usage.memory_bytes = std::max<std::int64_t>(usage.memory_bytes - find_number(text_, cache, ' ').value_or(0), 0);
}

ByteCounts UsageProbe::read_io_of_processes() {
  ByteCounts counts;
  const auto add = [&] {
    counts.in += unsigned_value(text_, "read_bytes", ':');
    counts.out += unsigned_value(text_, "write_bytes", ':');
  };
  std::string pids;
  if (sources_.members.version == 0 || !read_into(AT_FDCWD, sources_.members.path.c_str(), pids)) {
    if (read_into(process_.get(), "io", text_)) add();
    return counts;
  }
  for (const auto pid : split(pids, '\n'))
    if (read_into(AT_FDCWD, fmt::format("{}/{}/io", proc_, pid).c_str(), text_)) add();
  return counts;
}

void UsageProbe::read_disk(Usage& usage) {
  ByteCounts counts;
  if (sources_.io_stat.version == 0) {
    counts = read_io_of_processes();
  } else if (read_into(AT_FDCWD, sources_.io_stat.path.c_str(), text_)) {
    counts = parse_io_stat(text_);
  }
  // What a command from outside did goes with it; a total doesn't shrink.
  disk_ = {std::max(disk_.in, counts.in), std::max(disk_.out, counts.out)};
  usage.disk_read_bytes = disk_.in;
  usage.disk_written_bytes = disk_.out;
}

// What no control group says; false where the process is gone.
bool UsageProbe::read_process(Usage& usage) {
  if (sources_.processes.version != 0 && read_into(AT_FDCWD, sources_.processes.path.c_str(), text_))
    usage.processes = static_cast<std::uint32_t>(unsigned_number(text_));
  if (sources_.cpu.version != 0 && sources_.memory.version != 0 && sources_.processes.version != 0)
    return ::faccessat(process_.get(), "stat", F_OK, 0) == 0;
  if (!read_into(process_.get(), "stat", text_)) return false;
  const auto stat = parse_process_stat(text_);
  if (!stat) return false;
  static const auto kTickNanoseconds = 1'000'000'000ull / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  static const auto kPageBytes = ::sysconf(_SC_PAGESIZE);
  if (sources_.cpu.version == 0) usage.cpu_nanoseconds = stat->cpu_ticks * kTickNanoseconds;
  if (sources_.memory.version == 0) usage.memory_bytes = stat->resident_pages * kPageBytes;
  if (sources_.processes.version == 0) usage.processes = stat->threads;
  return true;
}

// Opened anew each time: an open file of it would keep the namespace, and its links, beyond the container's end.
bool UsageProbe::read_network(Usage& usage) {
  if (!own_network_) return true;
  if (!read_into(process_.get(), "net/dev", text_)) return false;
  const auto counts = parse_network_devices(text_);
  usage.network_received_bytes = counts.in;
  usage.network_sent_bytes = counts.out;
  return true;
}

void UsageProbe::count_rate(Usage& usage, base::Time now) {
  const auto elapsed = std::chrono::duration<double, std::nano>(now - sampled_).count();
  if (rates_begun_ > 0 && elapsed > 0)
    cores_ = static_cast<double>(usage.cpu_nanoseconds - std::min(sampled_cpu_, usage.cpu_nanoseconds)) / elapsed;
  rates_begun_ = std::min(rates_begun_ + 1, 2);
  sampled_ = now;
  sampled_cpu_ = usage.cpu_nanoseconds;
  usage.cpu_cores = cores_;
}

base::Result<Usage> UsageProbe::sample(base::Time now) {
  Usage usage;
  if (!read_cpu(usage) || !read_process(usage) || !read_network(usage))
    return base::fail(base::Code::kNotFound, "the task's process has ended");
  read_memory(usage);
  read_disk(usage);
  count_rate(usage, now);
  return usage;
}

}  // namespace orchion::node::devices
