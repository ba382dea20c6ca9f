#include "spec/keys.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "base/nearest_word.h"

namespace orchion::spec {

namespace {

using enum Shape;

// A key that is refused, with what to do instead.
constexpr Key refused(std::string_view name, std::string_view advice) {
  return {name, kAny, false, advice};
}

constexpr std::string_view kWindows = "it means something on Windows only: remove it";

constexpr Key kTopKeyList[] = {{"version", kText, true, "passed over with a notice"},
                               {"name", kText},
                               {"services", kMap},
                               {"networks", kMap},
                               {"volumes", kMap},
                               {"include", kList, true, "each entry with its own folder and `.env`"},
                               {"models", kMap, true, "read and checked; refused when it is to run"},
                               {"secrets", kMap},
                               {"configs", kMap},
                               {"x-orchion", kMap, true, "other `x-` keys are passed over"}};
constexpr Key kServiceKeyList[] = {
    {"image", kText},
    {"build", kAny, true, "by buildah, podman or docker where the command line runs; see `orchion build`"},
    {"command", kTextOrList},
    {"entrypoint", kTextOrList},
    {"environment", kMapOrList},
    {"env_file", kAny},
    {"ports", kList},
    {"volumes", kList},
    {"networks", kMapOrList},
    {"depends_on", kMapOrList},
    {"deploy", kMap},
    {"restart", kText},
    {"runtime", kText},
    {"labels", kMapOrList},
    {"label_file", kTextOrList},
    {"user", kText},
    {"working_dir", kText},
    {"x-orchion", kMap, true, "other `x-` keys are passed over"},
    {"hostname", kText},
    {"domainname", kText},
    {"container_name", kText, true, "one replica only"},
    {"stop_signal", kText},
    {"stop_grace_period", kText},
    {"tty", kFlag},
    {"stdin_open", kFlag},
    {"read_only", kFlag},
    {"init", kFlag},
    {"privileged", kFlag},
    {"cap_add", kList},
    {"cap_drop", kList},
    {"security_opt", kList, true,
     "`no-new-privileges` (on unless set to false), `seccomp=unconfined`, "
     "`systempaths=unconfined`; `apparmor=unconfined` and `label=disable` are what is so "
     "anyway"},
    {"devices", kList, true, "also by CDI names: `vendor.com/class=name`"},
    {"device_cgroup_rules", kList},
    {"ulimits", kMap},
    {"sysctls", kMapOrList},
    {"shm_size", kNumber},
    {"tmpfs", kTextOrList},
    {"mem_limit", kNumber},
    {"mem_reservation", kNumber},
    {"memswap_limit", kNumber},
    {"cpus", kNumber},
    {"cpu_shares", kNumber},
    {"cpu_quota", kNumber},
    {"cpu_period", kNumber},
    {"cpuset", kText},
    {"pids_limit", kNumber},
    {"oom_score_adj", kNumber},
    {"blkio_config", kMap},
    {"group_add", kList},
    {"cgroup", kText, true, "`host` or `private`"},
    {"ipc", kText, true, "`private`, `shareable` (the same here) or `host`"},
    {"pid", kText, true, "`host`"},
    {"uts", kText, true, "`host`"},
    {"userns_mode", kText, true, "`auto` (Podman's word: a range of users of the container's own) or `host`"},
    {"isolation", kText, true, "`default`"},
    {"network_mode", kText, true, "`none`, `host`, `bridge` (the stack's default network), `service:NAME`"},
    {"dns", kTextOrList, true, "asked after the cluster's own resolver"},
    {"dns_search", kTextOrList},
    {"dns_opt", kList},
    {"extra_hosts", kMapOrList, true, "`host-gateway` is the network's gateway"},
    {"expose", kList, true, "checked; services of one network reach all of each other's ports"},
    {"links", kList, true, "`SERVICE:ALIAS` gives the service a further name in its networks, and waits for its start"},
    {"logging", kMap, true, "`json-file` or `local` with `max-size` and `max-file`, which together cap what is kept"},
    {"healthcheck", kMap},
    {"secrets", kList},
    {"configs", kList},
    {"annotations", kMapOrList, true,
     "given to the OCI runtime, except those that are orders for one, such as `run.oci.*`"},
    {"attach", kFlag, true, "checked; `up` shows no output"},
    {"platform", kText, true, "places tasks on nodes of that platform"},
    {"pull_policy", kText, true, "`missing`, `if_not_present`, `always`, `never`, `build`"},
    {"profiles", kList},
    {"extends", kAny, true, "everything is passed on but `extends` itself"},
    {"scale", kNumber},
    {"models", kMapOrList, true, "read and checked; refused when it is to run"},
    refused("develop", "remove it; watch your files with your editor's tools and run `orchion up` again"),
    refused("provider", "remove it, and run what it provides as a service or outside"),
    refused("cgroup_parent", "remove it; orchion keeps the groups of its containers together"),
    refused("cpu_count", "write `cpus`"),
    refused("cpu_percent", "write `cpus`"),
    refused("cpu_rt_period", "remove it; write `cpu_shares` for more weight"),
    refused("cpu_rt_runtime", "remove it; write `cpu_shares` for more weight"),
    refused("credential_spec", kWindows),
    refused("external_links", "remove it, and let both services join one stack"),
    {"gpus", kAny, true, "`all`, or a list of requests; they are given to nobody else meanwhile"},
    refused("mac_address", "remove it; addresses are given by orchion"),
    refused("mem_swappiness", "remove it; cgroup v2 has no such figure, `memswap_limit` limits swap"),
    refused("oom_kill_disable", "remove it; cgroup v2 has no such switch, `oom_score_adj` moves the choice"),
    refused("pre_start",
            "make it a service of its own, and wait for it with `depends_on` and "
            "`service_completed_successfully`"),
    refused("post_start", "run it with `orchion exec`, or from the container's own start script"),
    refused("pre_stop", "let the program do it when `stop_signal` arrives"),
    refused("pull_refresh_after", "remove it; `pull_policy: always` asks the registry for each new task"),
    refused("storage_opt", "remove it; a volume can hold what must not fill the disk"),
    refused("use_api_socket", "mount the socket that is meant under `volumes`"),
    refused("volumes_from", "name the same volumes in both services")};
constexpr Key kDeployKeyList[] = {
    {"mode", kText, true, "`replicated`"},
    {"replicas", kNumber},
    {"labels", kMapOrList},
    {"resources", kMap},
    {"restart_policy", kMap},
    {"placement", kMap},
    {"endpoint_mode", kText, true, "`vip` or `dnsrr`"},
    refused("rollback_config", "remove it; an update that fails stops where it is"),
    refused("update_config", "remove it; tasks are replaced one by one, each stopped first")};
constexpr Key kResourcesKeyList[] = {{"limits", kMap}, {"reservations", kMap}};
constexpr Key kLimitsKeyList[] = {{"cpus", kNumber}, {"memory", kNumber}, {"pids", kNumber}};
constexpr Key kReservationsKeyList[] = {
    {"cpus", kNumber},
    {"memory", kNumber},
    {"devices", kList, true, "GPUs, with `capabilities: [gpu]`"},
    refused("generic_resources", "remove it; constrain the service with `placement` to nodes that have it")};
constexpr Key kRestartPolicyKeyList[] = {{"condition", kText},
                                         {"max_attempts", kNumber},
                                         {"delay", kText},
                                         refused("window", "remove it; a start counts as good after 10 s")};
constexpr Key kOrchionKeyList[] = {
    {"on_node_loss", kText, true, "`replace`, `wait` or `fence`"},
    {"executor", kText, true,
     "`oci`, `docker`, `podman`, `containerd`, or `process` for a program of the node; else the node's default"},
    {"health", kMap},
    {"recovery", kAny, true, "`restart`, `recreate`, `move`, `nothing`, or a map with `command`"},
    {"tolerations", kList, true, "`KEY`, `KEY=VALUE`, or `*` for any"},
    {"gpus", kMap, true, "also as the service's `gpus`"},
    {"placement", kText, true, "`least-loaded`, `bin-pack`, `round-robin`, `spread` or `least-fragmentation`"},
    {"near", kList, true, "each a service's name, or a map"},
    {"away_from", kList, true, "each a service's name, or a map"},
    {"together", kFlag},
    {"routes", kList, true, "or labels of Traefik"}};
constexpr Key kNeighbourKeyList[] = {{"service", kText, true, "its own: tasks of it among each other"},
                                     {"over", kText, true, "`node.labels.NAME`"},
                                     {"preferred", kFlag}};
constexpr Key kRouteKeyList[] = {{"name", kText},
                                 {"host", kText, true, "`*.example.com` for one label more"},
                                 {"hosts", kList},
                                 {"path", kText},
                                 {"exact", kFlag},
                                 {"port", kNumber},
                                 {"network", kText},
                                 {"priority", kNumber},
                                 {"tls", kAny, true, "`internal`, or a map with `certificate` and `key`"},
                                 {"plain_too", kFlag},
                                 {"strip_path", kFlag},
                                 {"sticky", kFlag},
                                 {"service_tls", kFlag}};
constexpr Key kRouteTlsKeyList[] = {{"certificate", kText}, {"key", kText}};
constexpr Key kRecoveryKeyList[] = {{"command", kTextOrList, true, "run in the container, for 30 s at most"}};
constexpr Key kProbesKeyList[] = {{"liveness", kMap}, {"readiness", kMap}, {"startup", kMap}};
constexpr Key kProbeKeyList[] = {{"http", kAny, true, "one of `http`, `tcp`, `grpc` and `command`"},
                                 {"tcp", kNumber},
                                 {"grpc", kAny, true, "without TLS"},
                                 {"command", kTextOrList},
                                 {"interval", kText},
                                 {"timeout", kText},
                                 {"retries", kNumber},
                                 {"start_period", kText},
                                 {"start_interval", kText}};
constexpr Key kHttpProbeKeyList[] = {{"port", kNumber},
                                     {"path", kText},
                                     {"tls", kFlag, true, "whoever the certificate speaks for"},
                                     {"host", kText},
                                     {"headers", kMapOrList}};
constexpr Key kGrpcProbeKeyList[] = {{"port", kNumber}, {"service", kText}};
constexpr Key kPlacementKeyList[] = {{"constraints", kList},
                                     {"preferences", kList, true, "at most two, each `spread: node.labels.NAME`"},
                                     {"max_replicas_per_node", kNumber}};
constexpr Key kDependencyKeyList[] = {{"condition", kText},
                                      {"required", kFlag},
                                      {"restart", kFlag, true, "`false`; tasks aren't restarted because of another's"}};
constexpr Key kIncludeKeyList[] = {{"path", kTextOrList}, {"project_directory", kText}, {"env_file", kTextOrList}};
constexpr Key kExtendsKeyList[] = {{"service", kText}, {"file", kText}};
constexpr Key kEnvFileKeyList[] = {{"path", kText}, {"required", kFlag}, {"format", kText}};
constexpr Key kPortKeyList[] = {
    {"target", kNumber},
    {"published", kNumber},
    {"host_ip", kText},
    {"protocol", kText, true, "`tcp` or `udp`"},
    {"mode", kText, true, "`ingress`: every machine answers; `host`: those alone that have a task"},
    {"name", kText, true, "for people"},
    {"app_protocol", kText, true, "for people"}};
constexpr Key kMountKeyList[] = {{"type", kText, true, "`volume`, `bind` or `tmpfs`"},
                                 {"source", kText},
                                 {"target", kText},
                                 {"read_only", kFlag},
                                 {"bind", kMap},
                                 {"volume", kMap},
                                 {"tmpfs", kMap},
                                 {"consistency", kText, true, "means nothing on Linux"},
                                 refused("image", "copy what the image holds into a volume")};
constexpr Key kBindKeyList[] = {{"create_host_path", kFlag},
                                {"propagation", kText},
                                {"recursive", kText, true, "`enabled` or `disabled`"},
                                {"selinux", kText, true, "no labels are made, so `z` and `Z` are what is so anyway"}};
constexpr Key kMountVolumeKeyList[] = {{"nocopy", kFlag, true, "a volume is never filled from the image"},
                                       refused("labels", "write them under the top-level volume"),
                                       refused("subpath", "mount the whole volume, or make a volume of its own")};
constexpr Key kTmpfsKeyList[] = {{"size", kNumber}, {"mode", kNumber}};
constexpr Key kAttachmentKeyList[] = {{"aliases", kList},
                                      {"priority", kNumber, true, "the highest is joined first"},
                                      {"gw_priority", kNumber, true, "the highest gives the way out"},
                                      refused("interface_name", "remove it; interfaces are eth0, eth1 and so on"),
                                      refused("ipv4_address", "remove it, and use the service's name"),
                                      refused("ipv6_address", "remove it, and use the service's name"),
                                      refused("link_local_ips", "remove it, and use the service's name"),
                                      refused("mac_address", "remove it; addresses are given by orchion"),
                                      refused("driver_opts", "remove it; there is one kind of network")};
constexpr Key kNetworkKeyList[] = {{"driver", kText, true, "`bridge` or `overlay`, which are one here, or `macvlan`"},
                                   {"internal", kFlag},
                                   {"labels", kMapOrList},
                                   {"ipam", kMap},
                                   {"name", kText, true,
                                    "with `external: true`: `STACK/NETWORK`; else passed over with a notice, since "
                                    "networks belong to their stack"},
                                   {"external", kFlag, true, "a network of another stack, which `name` says"},
                                   {"attachable", kFlag, true, "checked; every service may join"},
                                   {"enable_ipv4", kFlag, true, "`true`"},
                                   {"enable_ipv6", kFlag},
                                   {"driver_opts", kMap}};
constexpr Key kNetworkOptionKeyList[] = {
    {"com.docker.network.driver.mtu", kNumber},
    refused("com.docker.network.bridge.name", "remove it; networks have no bridge"),
    refused("com.docker.network.bridge.enable_icc",
            "remove it; give services that must not meet networks of their own"),
    refused("com.docker.network.bridge.enable_ip_masquerade", "write `internal: true` for a network without a way out"),
    refused("com.docker.network.bridge.host_binding_ipv4", "write the address before each of the `ports`"),
    refused("com.docker.network.container_iface_prefix", "remove it; interfaces are eth0, eth1 and so on"),
    {"parent", kText, true, "of macvlan: the nodes' interface; `eth0.20` is made where only `eth0` is there"},
    {"macvlan_mode", kText, true, "`bridge`"},
    refused("encrypted", "remove it; networks are made in one way")};
constexpr Key kIpamKeyList[] = {{"config", kList},
                                {"driver", kText, true, "`default`"},
                                refused("options", "remove it; there is one kind of network")};
constexpr Key kIpamConfigKeyList[] = {{"subnet", kText, true, "one of IPv4, one of IPv6"},
                                      {"gateway", kText, true, "of IPv4; that of IPv6 follows from it"},
                                      {"ip_range", kText, true, "of IPv4"},
                                      refused("aux_addresses", "remove it, or choose a subnet that isn't used")};
constexpr Key kVolumeKeyList[] = {
    {"driver", kText, true, "`local`"},
    {"labels", kMapOrList},
    {"name", kText, true, "passed over with a notice: volumes belong to their stack"},
    {"driver_opts", kMap, true, "`type: none`, `o: bind`, `device: PATH` (a bind mount) and `type: tmpfs`"},
    refused("external", "remove it, and the stack has a volume of its own; copy the data into it")};
constexpr Key kDriverOptionKeyList[] = {{"type", kText}, {"o", kText}, {"device", kText}};
constexpr Key kSecretKeyList[] = {{"file", kText},
                                  {"environment", kText},
                                  {"name", kText, true, "for people"},
                                  {"labels", kMapOrList, true, "for people"},
                                  refused("external", "name a `file` or an `environment` variable"),
                                  refused("driver", "name a `file` or an `environment` variable"),
                                  refused("driver_opts", "name a `file` or an `environment` variable"),
                                  refused("template_driver", "remove it; variables are filled in before")};
constexpr Key kConfigKeyList[] = {
    {"file", kText},
    {"environment", kText},
    {"content", kText},
    {"name", kText, true, "for people"},
    {"labels", kMapOrList, true, "for people"},
    refused("external", "name a `file`, an `environment` variable, or write its `content`"),
    refused("template_driver", "remove it; variables are filled in before")};
constexpr Key kFileKeyList[] = {
    {"source", kText}, {"target", kText}, {"uid", kNumber}, {"gid", kNumber}, {"mode", kNumber}};
constexpr Key kHealthCheckKeyList[] = {{"test", kTextOrList}, {"interval", kText},     {"timeout", kText},
                                       {"retries", kNumber},  {"start_period", kText}, {"start_interval", kText},
                                       {"disable", kFlag}};
constexpr Key kLoggingKeyList[] = {{"driver", kText}, {"options", kMap}};
constexpr Key kLoggingOptionKeyList[] = {
    {"max-size", kNumber},
    {"max-file", kNumber},
    {"compress", kFlag, true, "means nothing: what is kept is small"},
    {"mode", kText, true, "means nothing: output is never dropped, and never waited for"},
    {"max-buffer-size", kText, true, "means nothing"},
    refused("labels", "remove it; every line is kept with its task"),
    refused("labels-regex", "remove it; every line is kept with its task"),
    refused("env", "remove it; every line is kept with its task"),
    refused("env-regex", "remove it; every line is kept with its task"),
    refused("tag", "remove it; every line is kept with its task")};
constexpr std::string_view kNoAttestation = "remove it; images are built without attestations";
constexpr Key kBuildKeyList[] = {
    {"context", kText, true, "a folder, or an address that the builder fetches"},
    {"dockerfile", kText},
    {"dockerfile_inline", kText},
    {"args", kMapOrList},
    {"target", kText},
    {"labels", kMapOrList},
    {"tags", kList},
    {"additional_contexts", kMapOrList, true, "folders and addresses; docker needs its buildx for them"},
    {"secrets", kList, true, "docker needs its buildx for them"},
    {"ssh", kAny, true, "docker needs its buildx for it"},
    {"cache_from", kList, true, "buildah takes repositories, docker what its buildx takes"},
    {"cache_to", kList, true, "buildah takes repositories, docker what its buildx takes"},
    {"no_cache", kFlag},
    {"pull", kFlag},
    {"network", kText, true, "`host`, `none` or `default`"},
    {"extra_hosts", kMapOrList},
    {"platforms", kList, true, "one"},
    {"shm_size", kNumber},
    {"ulimits", kMap},
    {"isolation", kText, true, "`default`"},
    refused("privileged", "remove it, and do in the container what needs such rights"),
    refused("entitlements", "remove it; a build has the rights that its builder gives by itself"),
    refused("no_cache_filter", "write `no_cache`, which holds for every stage"),
    refused("provenance", kNoAttestation),
    refused("sbom", kNoAttestation)};
constexpr Key kBuildSecretKeyList[] = {{"source", kText},
                                       {"target", kText, true, "what the Dockerfile calls it"},
                                       refused("uid", "write it in the Dockerfile, with `RUN --mount=type=secret`"),
                                       refused("gid", "write it in the Dockerfile, with `RUN --mount=type=secret`"),
                                       refused("mode", "write it in the Dockerfile, with `RUN --mount=type=secret`")};
constexpr Key kUlimitKeyList[] = {{"soft", kNumber}, {"hard", kNumber}};
constexpr Key kDeviceRequestKeyList[] = {{"capabilities", kList, true, "`gpu`; all of a driver's parts are given"},
                                         {"driver", kText, true, "the vendor, or `cdi`"},
                                         {"count", kAny, true, "a number or `all`"},
                                         {"device_ids", kList, true, "with `driver: cdi` alone: names of CDI devices"},
                                         refused("options", "remove it; a driver's options are not passed on")};
constexpr Key kGpuKeyList[] = {
    {"count", kAny, true, "a number or `all`"},
    {"share", kNumber},
    {"memory", kNumber},
    {"models", kList},
    {"vendor", kText, true, "`nvidia`, `amd`, `intel`, `apple`, or another that a node names"}};
constexpr Key kDeviceKeyList[] = {{"source", kText}, {"target", kText}, {"permissions", kText}};
constexpr Key kBlockIoKeyList[] = {{"weight", kNumber},         {"weight_device", kList},
                                   {"device_read_bps", kList},  {"device_read_iops", kList},
                                   {"device_write_bps", kList}, {"device_write_iops", kList}};
constexpr Key kBlockRateKeyList[] = {{"path", kText}, {"rate", kNumber}};
constexpr Key kBlockWeightKeyList[] = {{"path", kText}, {"weight", kNumber}};
constexpr Key kModelKeyList[] = {
    {"model", kText}, {"context_size", kNumber}, {"runtime_flags", kList}, {"name", kText}};
constexpr Key kStackOrchionKeyList[] = {{"jobs", kMap},
                                        {"queues", kMap},
                                        {"network_policies", kMap},
                                        {"network_default", kText, true, "`deny`, or `allow`"}};
constexpr Key kNetworkPolicyKeyList[] = {{"service", kText, true, "also a job"},
                                         {"labels", kMapOrList},
                                         {"ingress", kList, true, "an empty list refuses all"},
                                         {"egress", kList, true, "an empty list refuses all"}};
constexpr Key kIngressRuleKeyList[] = {{"from", kList},
                                       {"ports", kList, true, "a number for tcp and udp, `443/tcp`, `8000-8100/udp`"}};
constexpr Key kEgressRuleKeyList[] = {{"to", kList},
                                      {"ports", kList, true, "a number for tcp and udp, `443/tcp`, `8000-8100/udp`"}};
constexpr Key kPolicyPeerKeyList[] = {{"service", kText},
                                      {"stack", kText, true, "`*`: any"},
                                      {"labels", kMapOrList},
                                      {"range", kText, true, "instead of tasks, and never one"},
                                      {"except", kTextOrList, true, "within `range`"},
                                      {"name", kText, true, "in `to`; `*.example.com` for all that ends so"}};
constexpr Key kQueueKeyList[] = {
    {"slots", kNumber},
    {"placement", kText, true, "`least-loaded`, `bin-pack`, `round-robin`, `spread` or `least-fragmentation`"}};
constexpr Key kJobKeyList[] = {
    {"schedule", kAny, true, "a line of cron, a list of them, or a map"},
    {"parameters", kMap, true, "a name with its default, with nothing where each run must say it, or with a map"},
    {"completions", kNumber},
    {"parallelism", kNumber},
    {"retries", kNumber},
    {"backoff", kText},
    {"deadline", kText},
    {"priority", kNumber},
    {"preempts", kFlag},
    {"concurrency", kText, true, "`queue`, `skip`, `replace` or `side-by-side`"},
    {"concurrency_group", kText},
    {"queue", kText, true, "one of the file's `queues`; its `placement` goes for the job"},
    {"inputs", kMap, true, "a name with the absolute path, or with a map"},
    {"outputs", kMap, true, "a name with the absolute path, or with a map"},
    {"placement", kText, true, "`least-loaded`, `bin-pack`, `round-robin`, `spread` or `least-fragmentation`"},
    {"keep", kText, true, "at most 100 ended runs of a job are kept in any case"},
    {"on_node_loss", kText, true, "`replace`, `wait` or `fence`"},
    {"executor", kText, true, "`oci`, `docker`, `podman`, `containerd`, or `process` for a program of the node"},
    {"tolerations", kList, true, "`KEY`, `KEY=VALUE`, or `*` for any"},
    {"gpus", kAny, true, "as a service's, or a map as of its `x-orchion`"},
    {"near", kList, true, "each a service's name, or a map"},
    {"away_from", kList, true, "each a service's name, or a map"},
    {"together", kFlag},
    {"deploy", kMap, true, "`resources`, `placement` and `labels`"},
    refused("build", "describe it with a service, and name the image here"),
    refused("restart", "say `retries`"),
    refused("scale", "say `completions` and `parallelism`"),
    refused("depends_on", "remove it; a run waits for its concurrency group alone"),
    refused("links", "remove it; services of its networks are reached by their names"),
    refused("healthcheck", "say `deadline`; a run is over when its program ends"),
    refused("container_name", "remove it; nobody has to reach a run by name"),
    refused("extends", "use a YAML anchor"),
    refused("profiles", "remove it; a job without a schedule runs only when asked"),
    refused("models", "remove it; models can't be served yet"),
    refused("attach", "remove it; `orchion job run --follow` shows output")};
constexpr Key kScheduleKeyList[] = {{"cron", kTextOrList, true, "five fields, or `@daily` and the like"},
                                    {"time_zone", kText},
                                    {"paused", kFlag},
                                    {"starting_deadline", kText}};
constexpr Key kParameterKeyList[] = {{"default", kText}, {"description", kText}, {"secret", kFlag}};
constexpr Key kInputKeyList[] = {{"path", kText}, {"optional", kFlag}};
constexpr Key kOutputKeyList[] = {{"path", kText}, {"optional", kFlag}};
constexpr Key kModelBindingKeyList[] = {{"endpoint_var", kText}, {"model_var", kText}};

}  // namespace

const KeyTable kTopKeys{"the file", kTopKeyList};
const KeyTable kServiceKeys{"a service", kServiceKeyList};
const KeyTable kDeployKeys{"deploy", kDeployKeyList};
const KeyTable kResourcesKeys{"deploy.resources", kResourcesKeyList};
const KeyTable kLimitsKeys{"deploy.resources.limits", kLimitsKeyList};
const KeyTable kReservationsKeys{"deploy.resources.reservations", kReservationsKeyList};
const KeyTable kRestartPolicyKeys{"deploy.restart_policy", kRestartPolicyKeyList};
const KeyTable kOrchionKeys{"x-orchion", kOrchionKeyList};
const KeyTable kNeighbourKeys{"near and away_from", kNeighbourKeyList};
const KeyTable kRouteKeys{"a route", kRouteKeyList};
const KeyTable kRouteTlsKeys{"tls of a route", kRouteTlsKeyList};
const KeyTable kRecoveryKeys{"x-orchion.recovery", kRecoveryKeyList};
const KeyTable kProbesKeys{"x-orchion.health", kProbesKeyList};
const KeyTable kProbeKeys{"a check of x-orchion.health", kProbeKeyList};
const KeyTable kHttpProbeKeys{"http of a check", kHttpProbeKeyList};
const KeyTable kGrpcProbeKeys{"grpc of a check", kGrpcProbeKeyList};
const KeyTable kPlacementKeys{"deploy.placement", kPlacementKeyList};
const KeyTable kDependencyKeys{"depends_on", kDependencyKeyList};
const KeyTable kIncludeKeys{"include", kIncludeKeyList};
const KeyTable kExtendsKeys{"extends", kExtendsKeyList};
const KeyTable kEnvFileKeys{"env_file", kEnvFileKeyList};
const KeyTable kPortKeys{"a port", kPortKeyList};
const KeyTable kMountKeys{"a volume of a service", kMountKeyList};
const KeyTable kBindKeys{"bind", kBindKeyList};
const KeyTable kMountVolumeKeys{"volume of a mount", kMountVolumeKeyList};
const KeyTable kTmpfsKeys{"tmpfs", kTmpfsKeyList};
const KeyTable kAttachmentKeys{"a network of a service", kAttachmentKeyList};
const KeyTable kNetworkKeys{"a network", kNetworkKeyList};
const KeyTable kNetworkOptionKeys{"driver_opts of a network", kNetworkOptionKeyList};
const KeyTable kIpamKeys{"ipam", kIpamKeyList};
const KeyTable kIpamConfigKeys{"ipam.config", kIpamConfigKeyList};
const KeyTable kVolumeKeys{"a volume", kVolumeKeyList};
const KeyTable kDriverOptionKeys{"driver_opts of a volume", kDriverOptionKeyList};
const KeyTable kSecretKeys{"a secret", kSecretKeyList};
const KeyTable kConfigKeys{"a config", kConfigKeyList};
const KeyTable kFileKeys{"a secret or config of a service", kFileKeyList};
const KeyTable kHealthCheckKeys{"healthcheck", kHealthCheckKeyList};
const KeyTable kLoggingKeys{"logging", kLoggingKeyList};
const KeyTable kLoggingOptionKeys{"logging.options", kLoggingOptionKeyList};
const KeyTable kBuildKeys{"build", kBuildKeyList};
const KeyTable kBuildSecretKeys{"a secret of a build", kBuildSecretKeyList};
const KeyTable kUlimitKeys{"a ulimit", kUlimitKeyList};
const KeyTable kDeviceKeys{"a device", kDeviceKeyList};
const KeyTable kDeviceRequestKeys{"a request for devices", kDeviceRequestKeyList};
const KeyTable kGpuKeys{"gpus of x-orchion", kGpuKeyList};
const KeyTable kBlockIoKeys{"blkio_config", kBlockIoKeyList};
const KeyTable kBlockRateKeys{"a rate of blkio_config", kBlockRateKeyList};
const KeyTable kBlockWeightKeys{"weight_device", kBlockWeightKeyList};
const KeyTable kModelKeys{"a model", kModelKeyList};
const KeyTable kModelBindingKeys{"a model of a service", kModelBindingKeyList};
const KeyTable kStackOrchionKeys{"x-orchion of the file", kStackOrchionKeyList};
const KeyTable kJobKeys{"a job", kJobKeyList, &kServiceKeys};
const KeyTable kScheduleKeys{"schedule", kScheduleKeyList};
const KeyTable kParameterKeys{"a parameter of a job", kParameterKeyList};
const KeyTable kInputKeys{"an input of a job", kInputKeyList};
const KeyTable kOutputKeys{"an output of a job", kOutputKeyList};
const KeyTable kQueueKeys{"a queue", kQueueKeyList};
const KeyTable kNetworkPolicyKeys{"a network policy", kNetworkPolicyKeyList};
const KeyTable kIngressRuleKeys{"a rule of ingress", kIngressRuleKeyList};
const KeyTable kEgressRuleKeys{"a rule of egress", kEgressRuleKeyList};
const KeyTable kPolicyPeerKeys{"a peer of a network policy", kPolicyPeerKeyList};

std::span<const KeyTable* const> all_key_tables() {
  static const KeyTable* const kAll[] = {
      &kTopKeys,           &kServiceKeys,       &kDeployKeys,        &kResourcesKeys,     &kLimitsKeys,
      &kReservationsKeys,  &kRestartPolicyKeys, &kPlacementKeys,     &kDependencyKeys,    &kIncludeKeys,
      &kExtendsKeys,       &kEnvFileKeys,       &kPortKeys,          &kMountKeys,         &kBindKeys,
      &kMountVolumeKeys,   &kTmpfsKeys,         &kAttachmentKeys,    &kHealthCheckKeys,   &kLoggingKeys,
      &kLoggingOptionKeys, &kUlimitKeys,        &kDeviceKeys,        &kBlockIoKeys,       &kBlockRateKeys,
      &kBlockWeightKeys,   &kFileKeys,          &kModelBindingKeys,  &kNetworkKeys,       &kNetworkOptionKeys,
      &kIpamKeys,          &kIpamConfigKeys,    &kVolumeKeys,        &kDriverOptionKeys,  &kSecretKeys,
      &kConfigKeys,        &kModelKeys,         &kOrchionKeys,       &kRecoveryKeys,      &kProbesKeys,
      &kProbeKeys,         &kHttpProbeKeys,     &kGrpcProbeKeys,     &kBuildKeys,         &kBuildSecretKeys,
      &kStackOrchionKeys,  &kJobKeys,           &kScheduleKeys,      &kParameterKeys,     &kInputKeys,
      &kOutputKeys,        &kQueueKeys,         &kNetworkPolicyKeys, &kIngressRuleKeys,   &kEgressRuleKeys,
      &kPolicyPeerKeys,    &kRouteKeys,         &kRouteTlsKeys,      &kDeviceRequestKeys, &kGpuKeys,
      &kNeighbourKeys};
  return kAll;
}

namespace {

std::string complaint(const Node::Entry& entry, const KeyTable& table) {
  const auto* known = find_key_of(table, entry.key);
  if (known != nullptr) return fmt::format("`{}` isn't supported: {}", entry.key, known->note);
  if (const auto meant = nearest_key(entry.key, table); !meant.empty())
    return fmt::format("`{}` isn't a key of {}: did you mean `{}`?", entry.key, table.where, meant);
  return fmt::format("`{}` isn't a key of {}: remove it, or begin it with `x-`", entry.key, table.where);
}

}  // namespace

const Key* find_key_of(const KeyTable& table, std::string_view name) {
  const auto known = std::ranges::find(table.keys, name, &Key::name);
  if (known != table.keys.end()) return &*known;
  if (name == kOwnExtension) return nullptr;  // what it holds depends on where it stands
  return table.also != nullptr ? find_key_of(*table.also, name) : nullptr;
}

void check_keys(const Node& map, const KeyTable& table, Problems& problems) {
  for (const auto& entry : map.entries) {
    const auto* known = find_key_of(table, entry.key);
    if (known == nullptr && is_extension(entry.key)) continue;
    if (known == nullptr || !known->supported) problems.add(entry.key_at, complaint(entry, table));
  }
}

std::string_view nearest_key(std::string_view word, const KeyTable& table) {
  std::vector<std::string_view> names;
  for (const auto& key : table.keys) names.push_back(key.name);
  if (table.also != nullptr)
    for (const auto& key : table.also->keys) names.push_back(key.name);
  return base::nearest_word(word, names);
}

}  // namespace orchion::spec
