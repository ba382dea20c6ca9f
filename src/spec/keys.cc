#include "spec/keys.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

constexpr bool kNotYet = false;

constexpr Key kTopKeyList[] = {{"version"},
                               {"name"},
                               {"services"},
                               {"networks"},
                               {"volumes"},
                               {"include", kNotYet, "pass each file with -f"},
                               {"models", kNotYet},
                               {"secrets", kNotYet, "remove it and use `env_file` for now"},
                               {"configs", kNotYet, "remove it and mount the file under `volumes`"}};
constexpr Key kServiceKeyList[] = {
    {"image"},
    {"command"},
    {"entrypoint"},
    {"environment"},
    {"env_file"},
    {"ports"},
    {"volumes"},
    {"networks"},
    {"depends_on"},
    {"deploy"},
    {"restart"},
    {"labels"},
    {"user"},
    {"working_dir"},
    {"hostname"},
    {"stop_signal"},
    {"stop_grace_period"},
    {"tty"},
    {"stdin_open"},
    {"read_only"},
    {"cap_add"},
    {"cap_drop"},
    {"mem_limit"},
    {"cpus"},
    {"pids_limit"},
    {"scale"},
    {"profiles"},
    {"develop", kNotYet},
    {"annotations", kNotYet},
    {"attach", kNotYet},
    {"build", kNotYet, "build the image, bring it in with `orchion image import`, and name it with `image`"},
    {"blkio_config", kNotYet},
    {"cgroup", kNotYet},
    {"cgroup_parent", kNotYet},
    {"configs", kNotYet, "remove it and mount the file under `volumes`"},
    {"container_name", kNotYet, "remove it; a task is addressed as STACK/SERVICE.N"},
    {"cpu_count", kNotYet},
    {"cpu_percent", kNotYet},
    {"cpu_shares", kNotYet},
    {"cpu_quota", kNotYet},
    {"cpu_period", kNotYet},
    {"cpu_rt_period", kNotYet},
    {"cpu_rt_runtime", kNotYet},
    {"cpuset", kNotYet},
    {"credential_spec", kNotYet},
    {"device_cgroup_rules", kNotYet},
    {"devices", kNotYet},
    {"dns", kNotYet},
    {"dns_opt", kNotYet},
    {"dns_search", kNotYet},
    {"domainname", kNotYet},
    {"label_file", kNotYet, "write them under `labels`"},
    {"expose", kNotYet, "remove it; services of one network reach all of each other's ports"},
    {"extends", kNotYet, "write the service out, or use a YAML anchor"},
    {"provider", kNotYet},
    {"external_links", kNotYet},
    {"extra_hosts", kNotYet},
    {"gpus", kNotYet},
    {"group_add", kNotYet},
    {"healthcheck", kNotYet},
    {"init", kNotYet},
    {"ipc", kNotYet},
    {"isolation", kNotYet},
    {"links", kNotYet, "remove it; services of one network find each other by name"},
    {"logging", kNotYet},
    {"mac_address", kNotYet},
    {"mem_reservation", kNotYet, "use `deploy.resources.reservations.memory`"},
    {"mem_swappiness", kNotYet},
    {"memswap_limit", kNotYet},
    {"network_mode", kNotYet},
    {"models", kNotYet},
    {"oom_kill_disable", kNotYet},
    {"oom_score_adj", kNotYet},
    {"pid", kNotYet},
    {"platform", kNotYet},
    {"pre_start", kNotYet},
    {"post_start", kNotYet},
    {"pre_stop", kNotYet},
    {"privileged", kNotYet},
    {"pull_policy", kNotYet},
    {"pull_refresh_after", kNotYet},
    {"runtime", kNotYet},
    {"security_opt", kNotYet},
    {"shm_size", kNotYet},
    {"secrets", kNotYet, "remove it and use `env_file` for now"},
    {"sysctls", kNotYet},
    {"storage_opt", kNotYet},
    {"tmpfs", kNotYet, "write it under `volumes` with `type: tmpfs`"},
    {"ulimits", kNotYet},
    {"use_api_socket", kNotYet},
    {"uts", kNotYet},
    {"userns_mode", kNotYet},
    {"volumes_from", kNotYet}};
constexpr Key kDeployKeyList[] = {{"mode"},
                                  {"replicas"},
                                  {"labels"},
                                  {"resources"},
                                  {"restart_policy"},
                                  {"placement"},
                                  {"endpoint_mode", kNotYet},
                                  {"rollback_config", kNotYet},
                                  {"update_config", kNotYet}};
constexpr Key kResourcesKeyList[] = {{"limits"}, {"reservations"}};
constexpr Key kLimitsKeyList[] = {{"cpus"}, {"memory"}, {"pids"}};
constexpr Key kReservationsKeyList[] = {{"cpus"}, {"memory"}, {"generic_resources", kNotYet}, {"devices", kNotYet}};
constexpr Key kRestartPolicyKeyList[] = {{"condition"}, {"max_attempts"}, {"delay", kNotYet}, {"window", kNotYet}};
constexpr Key kPlacementKeyList[] = {{"constraints"}, {"preferences", kNotYet}, {"max_replicas_per_node", kNotYet}};
constexpr Key kDependencyKeyList[] = {{"condition"}, {"required"}, {"restart", kNotYet}};
constexpr Key kEnvFileKeyList[] = {{"path"}, {"required"}, {"format"}};
constexpr Key kPortKeyList[] = {
    {"target"}, {"published"}, {"host_ip"}, {"protocol"}, {"mode"}, {"name", kNotYet}, {"app_protocol", kNotYet}};
constexpr Key kMountKeyList[] = {{"type"},          {"source"}, {"target"}, {"read_only"},
                                 {"bind"},          {"volume"}, {"tmpfs"},  {"consistency", kNotYet},
                                 {"image", kNotYet}};
constexpr Key kBindKeyList[] = {
    {"create_host_path"}, {"propagation", kNotYet}, {"recursive", kNotYet}, {"selinux", kNotYet}};
constexpr Key kMountVolumeKeyList[] = {{"labels", kNotYet}, {"nocopy", kNotYet}, {"subpath", kNotYet}};
constexpr Key kTmpfsKeyList[] = {{"size"}, {"mode", kNotYet}};
constexpr Key kAttachmentKeyList[] = {{"aliases"},
                                      {"interface_name", kNotYet},
                                      {"ipv4_address", kNotYet},
                                      {"ipv6_address", kNotYet},
                                      {"link_local_ips", kNotYet},
                                      {"mac_address", kNotYet},
                                      {"driver_opts", kNotYet},
                                      {"priority", kNotYet},
                                      {"gw_priority", kNotYet}};
constexpr Key kNetworkKeyList[] = {{"driver"},
                                   {"internal"},
                                   {"labels"},
                                   {"ipam"},
                                   {"name", kNotYet, "remove it; the network's name is its key"},
                                   {"driver_opts", kNotYet},
                                   {"external", kNotYet},
                                   {"enable_ipv4", kNotYet},
                                   {"enable_ipv6", kNotYet},
                                   {"attachable", kNotYet}};
constexpr Key kIpamKeyList[] = {{"config"}, {"driver", kNotYet}, {"options", kNotYet}};
constexpr Key kIpamConfigKeyList[] = {
    {"subnet"}, {"ip_range", kNotYet}, {"gateway", kNotYet}, {"aux_addresses", kNotYet}};
constexpr Key kVolumeKeyList[] = {{"driver"},
                                  {"labels"},
                                  {"name", kNotYet, "remove it; the volume's name is its key"},
                                  {"driver_opts", kNotYet},
                                  {"external", kNotYet}};

}  // namespace

const KeyTable kTopKeys{"the file", kTopKeyList};
const KeyTable kServiceKeys{"a service", kServiceKeyList};
const KeyTable kDeployKeys{"deploy", kDeployKeyList};
const KeyTable kResourcesKeys{"deploy.resources", kResourcesKeyList};
const KeyTable kLimitsKeys{"deploy.resources.limits", kLimitsKeyList};
const KeyTable kReservationsKeys{"deploy.resources.reservations", kReservationsKeyList};
const KeyTable kRestartPolicyKeys{"deploy.restart_policy", kRestartPolicyKeyList};
const KeyTable kPlacementKeys{"deploy.placement", kPlacementKeyList};
const KeyTable kDependencyKeys{"depends_on", kDependencyKeyList};
const KeyTable kEnvFileKeys{"env_file", kEnvFileKeyList};
const KeyTable kPortKeys{"a port", kPortKeyList};
const KeyTable kMountKeys{"a volume of a service", kMountKeyList};
const KeyTable kBindKeys{"bind", kBindKeyList};
const KeyTable kMountVolumeKeys{"volume", kMountVolumeKeyList};
const KeyTable kTmpfsKeys{"tmpfs", kTmpfsKeyList};
const KeyTable kAttachmentKeys{"a network of a service", kAttachmentKeyList};
const KeyTable kNetworkKeys{"a network", kNetworkKeyList};
const KeyTable kIpamKeys{"ipam", kIpamKeyList};
const KeyTable kIpamConfigKeys{"ipam.config", kIpamConfigKeyList};
const KeyTable kVolumeKeys{"a volume", kVolumeKeyList};

std::span<const KeyTable* const> all_key_tables() {
  static const KeyTable* const kAll[] = {&kTopKeys,        &kServiceKeys,      &kDeployKeys,        &kResourcesKeys,
                                         &kLimitsKeys,     &kReservationsKeys, &kRestartPolicyKeys, &kPlacementKeys,
                                         &kDependencyKeys, &kEnvFileKeys,      &kPortKeys,          &kMountKeys,
                                         &kBindKeys,       &kMountVolumeKeys,  &kTmpfsKeys,         &kAttachmentKeys,
                                         &kNetworkKeys,    &kIpamKeys,         &kIpamConfigKeys,    &kVolumeKeys};
  return kAll;
}

namespace {

// Edits that lead from one word to the other; a swap of neighbours is one.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

std::string complaint(const Node::Entry& entry, const KeyTable& table) {
  const auto known = std::ranges::find(table.keys, entry.key, &Key::name);
  if (known != table.keys.end())
    return fmt::format("`{}` isn't supported yet: {}", entry.key, known->advice.empty() ? "remove it" : known->advice);
  if (const auto meant = nearest_key(entry.key, table); !meant.empty())
    return fmt::format("`{}` isn't a key of {}: did you mean `{}`?", entry.key, table.where, meant);
  return fmt::format("`{}` isn't a key of {}: remove it, or begin it with `x-`", entry.key, table.where);
}

}  // namespace

void check_keys(const Node& map, const KeyTable& table, Problems& problems) {
  for (const auto& entry : map.entries) {
    if (is_extension(entry.key)) continue;
    const auto known = std::ranges::find(table.keys, entry.key, &Key::name);
    if (known == table.keys.end() || !known->supported) problems.add(entry.key_at, complaint(entry, table));
  }
}

std::string_view nearest_key(std::string_view word, const KeyTable& table) {
  constexpr std::size_t kLongestWord = 40;
  if (word.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t best_distance = word.size() <= 4 ? 2 : 3;  // exclusive
  for (const auto& key : table.keys) {
    const auto distance = edit_distance(word, key.name);
    if (distance < best_distance) {
      best = key.name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace orchion::spec
