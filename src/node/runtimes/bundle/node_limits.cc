#include "node/runtimes/bundle/node_limits.h"

#include <fmt/core.h>

#include "node/runtimes/features.h"

namespace orchion::node::runtimes::bundle {

namespace {

constexpr const char* kNoSwap = "this node's kernel doesn't count swap for control groups";
constexpr const char* kNoWeights = "this node's kernel has no scheduler that shares disks by weight";

base::Result<> refuse(const char* why, const char* key) {
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{}: leave `{}` out, or place the service elsewhere", why, key));
}

}  // namespace

std::map<std::string, Lack, std::less<>> lacks_of_node(const CgroupLayout& cgroups) {
  std::map<std::string, Lack, std::less<>> lacks;
  if (!cgroups.limits_swap) lacks[std::string(feature::kSwap)] = {kNoSwap, /*of_node=*/true};
  if (!cgroups.weighs_disks) lacks[std::string(feature::kBlockWeight)] = {kNoWeights, /*of_node=*/true};
  return lacks;
}

base::Result<> check_limits(const ResourceLimits& limits, const CgroupLayout& cgroups) {
  // No limit is what there is without one.
  if (limits.swap_bytes > 0 && !cgroups.limits_swap) return refuse(kNoSwap, "memswap_limit");
  const bool weighs = limits.block_io.weight > 0 || !limits.block_io.weights.empty();
  if (weighs && !cgroups.weighs_disks) return refuse(kNoWeights, "blkio_config");
  return {};
}

}  // namespace orchion::node::runtimes::bundle
