#include "node/runtimes/bundle/node_limits.h"

#include <algorithm>

#include <fmt/core.h>

#include "node/runtimes/features.h"

namespace orchion::node::runtimes::bundle {

namespace {

constexpr const char* kNoSwap = "this node's kernel doesn't count swap for control groups";
constexpr const char* kNoWeights = "this node's kernel has no scheduler that shares disks by weight";

// What a controller of v2 is for.
struct ControllerUse {
  const char* controller;
  std::string_view feature;
  const char* key;
  bool (*wants)(const ResourceLimits& limits);
};
constexpr ControllerUse kUses[] = {
    {"memory", feature::kMemory, "mem_limit", [](const ResourceLimits& limits) { return limits.memory_bytes > 0; }},
    {"cpu", feature::kCpus, "cpus", [](const ResourceLimits& limits) { return limits.nano_cpus > 0; }},
    {"cpu", feature::kCpuShares, "cpu_shares", [](const ResourceLimits& limits) { return limits.cpu_shares > 0; }},
    {"cpuset", feature::kCpuset, "cpuset", [](const ResourceLimits& limits) { return !limits.cpuset.empty(); }},
    {"pids", feature::kPids, "pids_limit", [](const ResourceLimits& limits) { return limits.pids > 0; }},
    {"io", feature::kBlockRates, "blkio_config",
     [](const ResourceLimits& limits) {
       const auto& io = limits.block_io;
       return !(io.read_bytes.empty() && io.read_operations.empty() && io.write_bytes.empty() &&
                io.write_operations.empty());
     }},
};

bool is_missing(const ControllerUse& use, const CgroupLayout& cgroups) {
  return std::ranges::find(cgroups.missing, use.controller) != cgroups.missing.end();
}

std::string why_missing(const ControllerUse& use, const CgroupLayout& cgroups) {
  if (cgroups.mode == CgroupLayout::Mode::kNone)
    return "this node's orchion runs without root, and has no control groups: they take cgroup v2 and a systemd "
           "session "
           "of its user";
  return fmt::format(
      "this node's orchion runs without root, and its user wasn't given the controller {} (Delegate= of "
      "systemd's user@.service)",
      use.controller);
}

base::Result<> refuse(const std::string& why, const char* key) {
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{}: leave `{}` out, or place the service elsewhere", why, key));
}

}  // namespace

std::map<std::string, Lack, std::less<>> lacks_of_node(const CgroupLayout& cgroups) {
  std::map<std::string, Lack, std::less<>> lacks;
  for (const auto& use : kUses) {
    if (is_missing(use, cgroups)) lacks[std::string(use.feature)] = {why_missing(use, cgroups), /*of_node=*/true};
  }
  if (!cgroups.limits_swap) lacks[std::string(feature::kSwap)] = {kNoSwap, /*of_node=*/true};
  if (!cgroups.weighs_disks) lacks[std::string(feature::kBlockWeight)] = {kNoWeights, /*of_node=*/true};
  return lacks;
}

base::Result<> check_limits(const ResourceLimits& limits, const CgroupLayout& cgroups) {
  for (const auto& use : kUses) {
    if (use.wants(limits) && is_missing(use, cgroups)) return refuse(why_missing(use, cgroups), use.key);
  }
  // No limit is what there is without one.
  if (limits.swap_bytes > 0 && !cgroups.limits_swap) return refuse(kNoSwap, "memswap_limit");
  const bool weighs = limits.block_io.weight > 0 || !limits.block_io.weights.empty();
  if (weighs && !cgroups.weighs_disks) return refuse(kNoWeights, "blkio_config");
  return {};
}

}  // namespace orchion::node::runtimes::bundle
