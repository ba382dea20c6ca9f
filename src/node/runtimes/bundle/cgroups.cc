#include "node/runtimes/bundle/cgroups.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::node::runtimes::bundle {

namespace {

struct CgroupMount {
  std::string point;
  std::string type;     // "cgroup" or "cgroup2"
  std::string options;  // of the superblock: v1's controllers
};

// One line of proc_pid_mountinfo(5): id, parent, device, root, point, options, optional fields, "-", type, source,
// superblock options.
bool parse_line(const std::string& line, CgroupMount& mount) {
  std::istringstream fields(line);
  std::string skipped;
  fields >> skipped >> skipped >> skipped >> skipped >> mount.point;
  while (fields >> skipped && skipped != "-") {
  }
  fields >> mount.type >> skipped >> mount.options;
  return (mount.type == "cgroup" || mount.type == "cgroup2") && mount.point.starts_with("/sys/fs/cgroup");
}

std::vector<std::string> split_options(const std::string& options) {
  std::vector<std::string> all;
  std::istringstream list(options);
  for (std::string option; std::getline(list, option, ',');) all.push_back(option);
  return all;
}

constexpr const char* kControllers[] = {"cpu", "cpuset", "io", "memory", "pids"};

CgroupLayout confine(CgroupLayout layout, const std::string& delegated) {
  const bool has_group = !delegated.empty() && layout.mode == CgroupLayout::Mode::kV2;
  const auto file = layout.unified + delegated + "/cgroup.subtree_control";
  std::istringstream words(has_group ? base::read_file(file).value_or("") : std::string());
  std::vector<std::string> given;
  for (std::string word; words >> word;) given.push_back(word);
  if (!has_group) {
    const bool is_hybrid = layout.mode == CgroupLayout::Mode::kHybrid;
    layout = {.mode = CgroupLayout::Mode::kNone, .unified = is_hybrid ? layout.unified : ""};
  }
  layout.top = has_group ? delegated : "";
  for (const auto* each : kControllers) {
    if (std::ranges::find(given, each) == given.end()) layout.missing.emplace_back(each);
  }
  if (std::ranges::find(given, "memory") == given.end()) layout.memory.clear();
  return layout;
}

// By BFQ, where it is there for a disk to use, or by the cost model of v2. The files of a group appear with it.
bool weighs_disks(const CgroupLayout& layout) {
  std::error_code ignored;
  if (std::ranges::find(layout.missing, "io") != layout.missing.end()) return false;
  if (!layout.controllers.contains("blkio") && std::filesystem::exists(layout.unified + "/io.cost.qos", ignored))
    return true;
  for (const auto& disk : std::filesystem::directory_iterator("/sys/block", ignored)) {
    if (base::read_file(disk.path() / "queue/scheduler").value_or("").find("bfq") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string CgroupLayout::memory_events(const std::string& group) const {
  if (memory.empty()) return {};
  return memory + group + (memory == unified ? "/memory.events" : "/memory.oom_control");
}

base::Result<CgroupLayout> parse_cgroup_layout(std::string_view mountinfo) {
  CgroupLayout layout;
  std::istringstream lines{std::string(mountinfo)};
  std::string line;
  while (std::getline(lines, line)) {
    CgroupMount mount;
    if (!parse_line(line, mount)) continue;
    if (std::find(layout.hierarchies.begin(), layout.hierarchies.end(), mount.point) != layout.hierarchies.end())
      continue;
    layout.hierarchies.push_back(mount.point);
    if (mount.type == "cgroup2") layout.unified = mount.point;
    if (mount.type != "cgroup") continue;
    for (const auto& option : split_options(mount.options)) layout.controllers.emplace(option, mount.point);
  }
  if (layout.hierarchies.empty())
    return base::fail(base::Code::kFailedPrecondition,
                      "no cgroups are mounted at /sys/fs/cgroup: mount them, or run orchion on a system that does");
  const bool only_unified = layout.hierarchies.size() == 1 && !layout.unified.empty();
  layout.mode = only_unified             ? CgroupLayout::Mode::kV2
                : layout.unified.empty() ? CgroupLayout::Mode::kV1
                                         : CgroupLayout::Mode::kHybrid;
  const auto memory = layout.controllers.find("memory");
  layout.memory = memory != layout.controllers.end() ? memory->second : layout.unified;
  return layout;
}

base::Result<CgroupLayout> detect_cgroup_layout(const std::optional<std::string>& delegated) {
  ASSIGN_OR_RETURN(const auto mountinfo, base::read_file("/proc/self/mountinfo"));
  ASSIGN_OR_RETURN(auto layout, parse_cgroup_layout(mountinfo));
  if (delegated) layout = confine(std::move(layout), *delegated);
  std::error_code ignored;
  layout.limits_swap = (!layout.memory.empty() && layout.memory == layout.unified) ||
                       std::filesystem::exists(layout.memory + "/memory.memsw.limit_in_bytes", ignored);
  layout.weighs_disks = weighs_disks(layout);
  return layout;
}

void announce_moves(const CgroupLayout& layout) {
  if (layout.hierarchies.empty()) return;
  const auto& mount = layout.controllers.empty() ? layout.hierarchies.front() : layout.controllers.begin()->second;
  const auto groups = base::read_file("/proc/self/cgroup");
  if (!groups) return;
  // "4:cpu,cpuacct:/path"; v2's is "0::/path"
  std::istringstream lines(*groups);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const auto names = split_options(line.substr(first + 1, second - first - 1));
    const bool is_of_mount = layout.controllers.empty()
                                 ? names.empty()
                                 : std::ranges::find(names, layout.controllers.begin()->first) != names.end();
    if (!is_of_mount) continue;
    const base::UniqueFd file(
        ::open((mount + line.substr(second + 1) + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (file) [[maybe_unused]]
      const auto written = ::write(file.get(), "0", 1);
    return;
  }
}

}  // namespace orchion::node::runtimes::bundle
