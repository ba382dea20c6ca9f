#include "spec/key_tree.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

const KeyChild kChildren[] = {
    {kTopKeys, "services", kServiceKeys, Below::kValues},
    {kTopKeys, "networks", kNetworkKeys, Below::kValues},
    {kTopKeys, "volumes", kVolumeKeys, Below::kValues},
    {kTopKeys, "secrets", kSecretKeys, Below::kValues},
    {kTopKeys, "configs", kConfigKeys, Below::kValues},
    {kTopKeys, "models", kModelKeys, Below::kValues},
    {kTopKeys, "include", kIncludeKeys, Below::kItems},
    {kTopKeys, "x-orchion", kStackOrchionKeys, Below::kItself},
    {kStackOrchionKeys, "jobs", kJobKeys, Below::kValues},
    {kStackOrchionKeys, "queues", kQueueKeys, Below::kValues},
    {kStackOrchionKeys, "network_policies", kNetworkPolicyKeys, Below::kValues},
    {kNetworkPolicyKeys, "ingress", kIngressRuleKeys, Below::kItems},
    {kNetworkPolicyKeys, "egress", kEgressRuleKeys, Below::kItems},
    {kIngressRuleKeys, "from", kPolicyPeerKeys, Below::kItems},
    {kEgressRuleKeys, "to", kPolicyPeerKeys, Below::kItems},
    {kJobKeys, "deploy", kDeployKeys, Below::kItself},
    {kJobKeys, "schedule", kScheduleKeys, Below::kItself},
    {kJobKeys, "parameters", kParameterKeys, Below::kValues},
    {kJobKeys, "inputs", kInputKeys, Below::kValues},
    {kJobKeys, "outputs", kOutputKeys, Below::kValues},
    {kServiceKeys, "build", kBuildKeys, Below::kItself},
    {kServiceKeys, "deploy", kDeployKeys, Below::kItself},
    {kServiceKeys, "x-orchion", kOrchionKeys, Below::kItself},
    {kOrchionKeys, "health", kProbesKeys, Below::kItself},
    {kOrchionKeys, "recovery", kRecoveryKeys, Below::kItself},
    {kOrchionKeys, "routes", kRouteKeys, Below::kItems},
    {kOrchionKeys, "near", kNeighbourKeys, Below::kItems},
    {kOrchionKeys, "away_from", kNeighbourKeys, Below::kItems},
    {kJobKeys, "near", kNeighbourKeys, Below::kItems},
    {kJobKeys, "away_from", kNeighbourKeys, Below::kItems},
    {kRouteKeys, "tls", kRouteTlsKeys, Below::kItself},
    {kProbesKeys, "liveness", kProbeKeys, Below::kItself},
    {kProbesKeys, "readiness", kProbeKeys, Below::kItself},
    {kProbesKeys, "startup", kProbeKeys, Below::kItself},
    {kProbeKeys, "http", kHttpProbeKeys, Below::kItself},
    {kProbeKeys, "grpc", kGrpcProbeKeys, Below::kItself},
    {kServiceKeys, "depends_on", kDependencyKeys, Below::kValues},
    {kServiceKeys, "env_file", kEnvFileKeys, Below::kItems},
    {kServiceKeys, "extends", kExtendsKeys, Below::kItself},
    {kServiceKeys, "ports", kPortKeys, Below::kItems},
    {kServiceKeys, "volumes", kMountKeys, Below::kItems},
    {kServiceKeys, "networks", kAttachmentKeys, Below::kValues},
    {kServiceKeys, "healthcheck", kHealthCheckKeys, Below::kItself},
    {kServiceKeys, "logging", kLoggingKeys, Below::kItself},
    {kServiceKeys, "ulimits", kUlimitKeys, Below::kValues},
    {kServiceKeys, "devices", kDeviceKeys, Below::kItems},
    {kServiceKeys, "gpus", kDeviceRequestKeys, Below::kItems},
    {kReservationsKeys, "devices", kDeviceRequestKeys, Below::kItems},
    {kOrchionKeys, "gpus", kGpuKeys, Below::kItself},
    {kJobKeys, "gpus", kGpuKeys, Below::kItself},
    {kServiceKeys, "blkio_config", kBlockIoKeys, Below::kItself},
    {kServiceKeys, "secrets", kFileKeys, Below::kItems},
    {kServiceKeys, "configs", kFileKeys, Below::kItems},
    {kServiceKeys, "models", kModelBindingKeys, Below::kValues},
    {kBuildKeys, "secrets", kBuildSecretKeys, Below::kItems},
    {kBuildKeys, "ulimits", kUlimitKeys, Below::kValues},
    {kLoggingKeys, "options", kLoggingOptionKeys, Below::kItself},
    {kBlockIoKeys, "weight_device", kBlockWeightKeys, Below::kItems},
    {kBlockIoKeys, "device_read_bps", kBlockRateKeys, Below::kItems},
    {kBlockIoKeys, "device_read_iops", kBlockRateKeys, Below::kItems},
    {kBlockIoKeys, "device_write_bps", kBlockRateKeys, Below::kItems},
    {kBlockIoKeys, "device_write_iops", kBlockRateKeys, Below::kItems},
    {kMountKeys, "bind", kBindKeys, Below::kItself},
    {kMountKeys, "volume", kMountVolumeKeys, Below::kItself},
    {kMountKeys, "tmpfs", kTmpfsKeys, Below::kItself},
    {kDeployKeys, "resources", kResourcesKeys, Below::kItself},
    {kDeployKeys, "restart_policy", kRestartPolicyKeys, Below::kItself},
    {kDeployKeys, "placement", kPlacementKeys, Below::kItself},
    {kResourcesKeys, "limits", kLimitsKeys, Below::kItself},
    {kResourcesKeys, "reservations", kReservationsKeys, Below::kItself},
    {kNetworkKeys, "ipam", kIpamKeys, Below::kItself},
    {kNetworkKeys, "driver_opts", kNetworkOptionKeys, Below::kItself},
    {kIpamKeys, "config", kIpamConfigKeys, Below::kItems},
    {kVolumeKeys, "driver_opts", kDriverOptionKeys, Below::kItself},
};

const KeyChild* child_of(const KeyTable& table, std::string_view key) {
  const auto* const it = std::ranges::find_if(
      kChildren, [&](const KeyChild& child) { return &child.parent == &table && child.key == key; });
  if (it != std::end(kChildren)) return it;
  return table.also != nullptr ? child_of(*table.also, key) : nullptr;
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto dot = path.find('.');
    parts.push_back(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return parts;
}

std::unexpected<base::Error> unknown(const std::string& above, std::string_view part, const KeyTable* table) {
  const auto whole = above.empty() ? std::string(part) : fmt::format("{}.{}", above, part);
  const auto near = table ? nearest_key(part, *table) : std::string_view();
  if (!near.empty())
    return base::fail(base::Code::kNotFound, fmt::format("there is no key `{}`: did you mean `{}{}{}`?", whole, above,
                                                         above.empty() ? "" : ".", near));
  return base::fail(base::Code::kNotFound,
                    fmt::format("there is no key `{}`: `orchion explain{}{}` lists those there are", whole,
                                above.empty() || !table ? "" : " ", table ? above : ""));
}

}  // namespace

std::span<const KeyChild> key_children() {
  return kChildren;
}

base::Result<FoundKey> find_key(std::string_view path) {
  FoundKey found;
  found.below = &kTopKeys;
  auto parts = parts_of(path);
  if (!parts.empty() && !find_key_of(kTopKeys, parts.front()) && find_key_of(kServiceKeys, parts.front()))
    parts.insert(parts.begin(), "services");
  bool named = false;  // the values have names, of which one may be given
  for (const auto part : parts) {
    const auto* table = found.below;
    const auto* key = table ? find_key_of(*table, part) : nullptr;
    if (!key && named && (part == "*" || nearest_key(part, *table).empty())) {
      named = false;
      continue;
    }
    if (!key) return unknown(found.path, part, table);
    const auto* child = child_of(*table, part);
    named = child && child->below == Below::kValues;
    found = {fmt::format("{}{}{}", found.path, found.path.empty() ? "" : ".", part), table, key,
             child ? &child->table : nullptr};
  }
  if (!found.key) return base::fail(base::Code::kInvalidArgument, "name a key, like services.image");
  return found;
}

}  // namespace orchion::spec
