#include "node/runtimes/process/cgroup_plan.h"

#include <algorithm>
#include <sstream>

#include <fmt/core.h>

#include "base/file.h"

namespace orchion::node::runtimes::process {

namespace {

using base::Code;
using base::Result;

constexpr std::int64_t kCpuPeriodUs = 100'000;
constexpr std::int64_t kCpuQuotaMinUs = 1'000;  // the kernel's

std::int64_t cpu_quota_us(std::int64_t nano_cpus) {
  return std::max(static_cast<std::int64_t>(static_cast<double>(nano_cpus) * kCpuPeriodUs / 1e9), kCpuQuotaMinUs);
}

// Shares of 2…262144 as weights of 1…10000, as every OCI runtime maps them.
// Source: https://github.com/containers/crun/blob/main/crun.1.md#cpu-controller
std::uint64_t cpu_weight(std::uint64_t shares) {
  const auto bounded = std::clamp<std::uint64_t>(shares, 2, 262'144);
  return 1 + (bounded - 2) * 9'999 / 262'142;
}

std::string parent_of(const std::string& group) {
  return group.substr(0, group.rfind('/'));
}

Result<> no_controller(const char* name, const char* limit) {
  return base::fail(Code::kInvalidArgument,
                    fmt::format("this node's kernel has no {} cgroup controller: leave {} away", name, limit));
}

// One v2 hierarchy: the parent hands its controllers on, and one group has all limits.
class UnifiedPlanner {
 public:
  UnifiedPlanner(const CgroupTree& tree, const std::string& group)
      : tree_(tree), parent_(tree.layout.unified + parent_of(group)), folder_(tree.layout.unified + group) {}

  Result<CgroupPlan> plan(const ResourceLimits& limits) {
    plan_.parents.push_back(parent_);
    plan_.groups.push_back(folder_);
    for (const char* name : {"memory", "pids", "cpu"}) hand_on(name);
    if (limits.memory_bytes > 0) RETURN_IF_ERROR(limit_memory(limits));
    if (limits.pids > 0) RETURN_IF_ERROR(write("pids", "pids", "pids.max", std::to_string(limits.pids)));
    if (limits.nano_cpus > 0)
      RETURN_IF_ERROR(
          write("cpu", "cpus", "cpu.max", fmt::format("{} {}", cpu_quota_us(limits.nano_cpus), kCpuPeriodUs)));
    if (limits.cpu_shares > 0)
      RETURN_IF_ERROR(write("cpu", "cpu_shares", "cpu.weight", std::to_string(cpu_weight(limits.cpu_shares))));
    if (!limits.cpuset.empty()) {
      hand_on("cpuset");
      RETURN_IF_ERROR(write("cpuset", "cpuset", "cpuset.cpus", limits.cpuset));
    }
    return std::move(plan_);
  }

 private:
  bool has(std::string_view name) const {
    const auto& all = tree_.unified_controllers;
    return std::find(all.begin(), all.end(), name) != all.end();
  }
  void hand_on(const char* name) {
    if (!has(name)) return;
    for (const auto& folder : {tree_.layout.unified, parent_})
      plan_.parent_writes.push_back(fmt::format("-{}/cgroup.subtree_control +{}", folder, name));
  }
  Result<> write(const char* controller, const char* limit, const char* file, const std::string& value) {
    if (!has(controller)) return no_controller(controller, limit);
    plan_.writes.push_back(fmt::format("{}/{} {}", folder_, file, value));
    return {};
  }
  Result<> limit_memory(const ResourceLimits& limits) {
    RETURN_IF_ERROR(write("memory", "memory", "memory.max", std::to_string(limits.memory_bytes)));
    const auto swap = limits.swap_bytes < 0    ? std::string("max")
                      : limits.swap_bytes == 0 ? std::string("0")
                                               : std::to_string(limits.swap_bytes - limits.memory_bytes);
    plan_.writes.push_back(fmt::format("{}{}/memory.swap.max {}", limits.swap_bytes == 0 ? "-" : "", folder_, swap));
    return {};
  }

  const CgroupTree& tree_;
  std::string parent_;
  std::string folder_;
  CgroupPlan plan_;
};

// A hierarchy per controller, several of which may be mounted together.
class SplitPlanner {
 public:
  SplitPlanner(const CgroupTree& tree, const std::string& group) : tree_(tree), group_(group) {}

  Result<CgroupPlan> plan(const ResourceLimits& limits) {
    if (!tree_.layout.unified.empty()) enter(tree_.layout.unified);  // hybrid: it kills a group at once
    for (const char* name : {"memory", "pids", "cpu", "cpuacct"}) {
      if (const auto* mount = find(name)) enter(*mount);
    }
    if (limits.memory_bytes > 0) RETURN_IF_ERROR(limit_memory(limits));
    if (limits.pids > 0) RETURN_IF_ERROR(write("pids", "pids", "pids.max", std::to_string(limits.pids)));
    if (limits.nano_cpus > 0) {
      RETURN_IF_ERROR(write("cpu", "cpus", "cpu.cfs_period_us", std::to_string(kCpuPeriodUs)));
      RETURN_IF_ERROR(write("cpu", "cpus", "cpu.cfs_quota_us", std::to_string(cpu_quota_us(limits.nano_cpus))));
    }
    if (limits.cpu_shares > 0)
      RETURN_IF_ERROR(write("cpu", "cpu_shares", "cpu.shares", std::to_string(limits.cpu_shares)));
    if (!limits.cpuset.empty()) RETURN_IF_ERROR(limit_processors(limits.cpuset));
    return std::move(plan_);
  }

 private:
  const std::string* find(const std::string& controller) const {
    const auto found = tree_.layout.controllers.find(controller);
    return found == tree_.layout.controllers.end() ? nullptr : &found->second;
  }
  void enter(const std::string& mount) {
    const auto folder = mount + group_;
    if (std::find(plan_.groups.begin(), plan_.groups.end(), folder) != plan_.groups.end()) return;
    plan_.parents.push_back(mount + parent_of(group_));
    plan_.groups.push_back(folder);
  }
  Result<> write(const char* controller, const char* limit, const char* file, const std::string& value) {
    const auto* mount = find(controller);
    if (mount == nullptr) return no_controller(controller, limit);
    plan_.writes.push_back(fmt::format("{}{}/{} {}", *mount, group_, file, value));
    return {};
  }
  // Memory and swap together can't be less than memory: the order matters.
  Result<> limit_memory(const ResourceLimits& limits) {
    RETURN_IF_ERROR(write("memory", "memory", "memory.limit_in_bytes", std::to_string(limits.memory_bytes)));
    if (!tree_.layout.limits_swap) {
      if (limits.swap_bytes > 0) return no_controller("memory with swap", "memswap_limit");
      return {};
    }
    const auto both = limits.swap_bytes != 0 ? limits.swap_bytes : limits.memory_bytes;
    return write("memory", "memswap_limit", "memory.memsw.limit_in_bytes", std::to_string(both));
  }
  // A new group there takes nobody before its processors and memory nodes are set.
  Result<> limit_processors(const std::string& cpuset) {
    const auto* mount = find("cpuset");
    if (mount == nullptr) return no_controller("cpuset", "cpuset");
    enter(*mount);
    const auto parent = *mount + parent_of(group_);
    plan_.parent_writes.push_back(fmt::format("{}/cpuset.cpus {}", parent, tree_.cpus));
    plan_.parent_writes.push_back(fmt::format("{}/cpuset.mems {}", parent, tree_.memory_nodes));
    RETURN_IF_ERROR(write("cpuset", "cpuset", "cpuset.mems", tree_.memory_nodes));
    return write("cpuset", "cpuset", "cpuset.cpus", cpuset);
  }

  const CgroupTree& tree_;
  const std::string& group_;
  CgroupPlan plan_;
};

// A small file's only line; empty where there is none.
std::string read_line(const std::string& path) {
  auto text = base::read_file(path).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

Result<CgroupTree> read_cgroup_tree(const bundle::CgroupLayout& layout) {
  CgroupTree tree;
  tree.layout = layout;
  if (layout.mode == bundle::CgroupLayout::Mode::kV2) {
    std::istringstream names(read_line(layout.unified + "/cgroup.controllers"));
    for (std::string name; names >> name;) tree.unified_controllers.push_back(name);
  }
  if (const auto found = layout.controllers.find("cpuset"); found != layout.controllers.end()) {
    tree.cpus = read_line(found->second + "/cpuset.cpus");
    tree.memory_nodes = read_line(found->second + "/cpuset.mems");
  }
  return tree;
}

Result<CgroupPlan> plan_cgroups(const CgroupTree& tree, const std::string& group, const ResourceLimits& limits) {
  if (tree.layout.mode == bundle::CgroupLayout::Mode::kV2) return UnifiedPlanner(tree, group).plan(limits);
  return SplitPlanner(tree, group).plan(limits);
}

}  // namespace orchion::node::runtimes::process
