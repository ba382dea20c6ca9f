#include "node/runtimes/engine/container_document.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "node/shim/gate/gate.h"

namespace orchion::node::runtimes::engine {

namespace json = boost::json;
using base::Code;
using base::Result;
using node::engine::Dialect;

namespace {

constexpr std::int64_t kShmBytes = std::int64_t{64} << 20;
constexpr std::int64_t kEngineLogBytesMin = 1 << 20;

template <class List>
json::array to_array(const List& list) {
  json::array array;
  for (const auto& item : list) array.emplace_back(item);
  return array;
}

bool is_podman(const DocumentContext& context) {
  return context.dialect == Dialect::kPodman;
}

Result<> refuse(const DocumentContext& context, std::string_view what, std::string_view advice) {
  return base::fail(Code::kFailedPrecondition,
                    fmt::format("{} can't {}: {}", node::engine::dialect_name(context.dialect), what, advice));
}

// Podman's compatible API takes what it doesn't know without a word.
Result<> check_podman(const ContainerConfig& config, const DocumentContext& context) {
  constexpr std::string_view kElsewhere = "leave it out, or use another executor";
  if (!config.domainname.empty()) return refuse(context, "set a domain name by its API", kElsewhere);
  if (!config.privileges.device_rules.empty())
    return refuse(context, "take rules for devices by its API", "name the devices, or use another executor");
  if (config.host_namespaces.cgroup) return refuse(context, "share the host's cgroup namespace by its API", kElsewhere);
  if (config.limits.swap_bytes < 0) return refuse(context, "lift the limit on swap by its API", "name a figure");
  if (!config.oci_runtime.empty())
    return refuse(context, fmt::format("choose the OCI runtime '{}' by its API", config.oci_runtime),
                  "leave it to its containers.conf");
  for (const auto& mount : config.mounts) {
    for (const auto& option : mount.tmpfs_options) {
      if (option.starts_with("uid=") || option.starts_with("gid="))
        return refuse(context, "set the owner of a tmpfs", "set its mode instead");
    }
  }
  return {};
}

// What the API has no word for, and what the engine would leave out without a word.
Result<> check_additions(const ContainerConfig& config, const DocumentContext& context) {
  if (config.own_users)
    return refuse(context, "give one container users of its own", "use the executor oci, or remove `userns_mode`");
  const auto& io = config.limits.block_io;
  if (!context.weighs_disks && (io.weight > 0 || !io.weights.empty()))
    return refuse(context, "share disks by weight with control groups of v1", "leave the weights out");
  if (!config.hooks.empty())
    return refuse(context, fmt::format("call the hook {}", config.hooks.front().path.string()),
                  "use the executor oci or containerd");
  for (const auto& device : config.devices) {
    if (device.mode || device.uid || device.gid)
      return refuse(context, fmt::format("change the owner or mode of {}", device.target.string()),
                    "set them on the node, or use the executor oci or containerd");
  }
  // What a program may not do with a set-uid file or a device it may not by other walls too.
  for (const auto& mount : config.mounts) {
    if (std::find(mount.flags.begin(), mount.flags.end(), "noexec") != mount.flags.end())
      return refuse(context, fmt::format("mount {} with noexec", mount.target.string()),
                    "use the executor oci or containerd");
  }
  return {};
}

Result<> check(const ContainerConfig& config, const DocumentContext& context) {
  if (config.image.empty())
    return base::fail(Code::kInvalidArgument, "a container of an engine needs an image of that engine: name one");
  if (config.arguments.empty())
    return base::fail(Code::kInvalidArgument, "the image has no command: give the service one");
  RETURN_IF_ERROR(check_additions(config, context));
  if (is_podman(context)) return check_podman(config, context);
  if (!config.network_namespace.empty() && !context.wires)
    return refuse(context, "join a network namespace", "the agent was made without a way to wire one");
  if (!config.oci_runtime.empty() && std::find(context.oci_runtimes.begin(), context.oci_runtimes.end(),
                                               config.oci_runtime) == context.oci_runtimes.end())
    return refuse(context, fmt::format("use the OCI runtime '{}'", config.oci_runtime),
                  "add it to its daemon.json, or name one that it has");
  return {};
}

std::string tmpfs_options(const MountPoint& point, bool podman) {
  auto options = fmt::format("{},nosuid,nodev,mode={:o}", point.read_only ? "ro" : "rw",
                             point.tmpfs_mode != 0 ? point.tmpfs_mode : 01777);
  if (point.tmpfs_bytes > 0) options += fmt::format(",size={}", point.tmpfs_bytes);
  for (const auto& option : point.tmpfs_options) options += "," + option;
  // Podman would copy what the image has there.
  return podman ? options + ",notmpcopyup" : options;
}

struct Mounts {
  json::array mounts;  // HostConfig.Mounts
  json::array binds;   // HostConfig.Binds
  json::object tmpfs;
};

// Podman takes any BindOptions for "not recursive": there it is the older form, which has no quoting.
Result<> add_bind(const MountPoint& point, const DocumentContext& context, Mounts& mounts) {
  if (!is_podman(context)) {
    mounts.mounts.push_back(json::object{
        {"Type", "bind"},
        {"Source", point.source.string()},
        {"Target", point.target.string()},
        {"ReadOnly", point.read_only},
        {"BindOptions", json::object{{"Propagation", point.propagation}, {"NonRecursive", !point.recursive}}}});
    return {};
  }
  const auto source = point.source.string(), target = point.target.string();
  if ((source + target).find_first_of(":,") != std::string::npos)
    return refuse(context, fmt::format("mount {} at {}", source, target), "use paths without ':' and ','");
  mounts.binds.emplace_back(fmt::format("{}:{}:{},{},{}", source, target, point.read_only ? "ro" : "rw",
                                        point.recursive ? "rbind" : "bind", point.propagation));
  return {};
}

Result<Mounts> to_mounts(const ContainerConfig& config, const DocumentContext& context) {
  auto points = config.mounts;
  const auto add = [&](const std::filesystem::path& source, const std::filesystem::path& target, bool read_only) {
    if (std::any_of(points.begin(), points.end(), [&](const MountPoint& p) { return p.target == target; })) return;
    points.push_back({.source = source, .target = target, .read_only = read_only});
  };
  for (const char* name : {"resolv.conf", "hosts", "hostname"})
    add(context.folder / name, std::filesystem::path("/etc") / name, false);
  for (std::size_t i = 0; i < config.files.size(); ++i)
    add(context.files_folder / std::to_string(i), config.files[i].target, true);
  add(context.gate_folder, shim::kGateFolder, true);
  Mounts mounts;
  for (const auto& point : points) {
    if (point.type == MountPoint::Type::kTmpfs) {
      mounts.tmpfs[point.target.native()] = tmpfs_options(point, is_podman(context));
    } else {
      RETURN_IF_ERROR(add_bind(point, context, mounts));
    }
  }
  return mounts;
}

json::array to_devices(const std::vector<Device>& devices) {
  json::array array;
  for (const auto& device : devices)
    array.push_back(json::object{{"PathOnHost", device.source.string()},
                                 {"PathInContainer", device.target.string()},
                                 {"CgroupPermissions", device.permissions}});
  return array;
}

json::array to_ulimits(const std::vector<Ulimit>& ulimits) {
  json::array array;
  for (const auto& limit : ulimits)
    array.push_back(json::object{{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
  return array;
}

json::array to_rates(const std::vector<BlockDeviceRate>& rates, const char* figure) {
  json::array array;
  for (const auto& rate : rates) array.push_back(json::object{{"Path", rate.path.string()}, {figure, rate.rate}});
  return array;
}

void add_block_io(const BlockIo& io, json::object& host) {
  if (io.weight > 0) host["BlkioWeight"] = io.weight;
  const auto add = [&](const char* name, const std::vector<BlockDeviceRate>& rates, const char* figure) {
    if (!rates.empty()) host[name] = to_rates(rates, figure);
  };
  add("BlkioWeightDevice", io.weights, "Weight");
  add("BlkioDeviceReadBps", io.read_bytes, "Rate");
  add("BlkioDeviceReadIOps", io.read_operations, "Rate");
  add("BlkioDeviceWriteBps", io.write_bytes, "Rate");
  add("BlkioDeviceWriteIOps", io.write_operations, "Rate");
}

void add_limits(const ResourceLimits& limits, json::object& host) {
  if (limits.nano_cpus > 0) host["NanoCpus"] = limits.nano_cpus;
  if (limits.cpu_shares > 0) host["CpuShares"] = limits.cpu_shares;
  if (!limits.cpuset.empty()) host["CpusetCpus"] = limits.cpuset;
  if (limits.pids > 0) host["PidsLimit"] = limits.pids;
  if (limits.memory_bytes > 0) {
    host["Memory"] = limits.memory_bytes;
    // Memory and swap together: no swap beyond the limit, where nothing else is said.
    host["MemorySwap"] = limits.swap_bytes != 0 ? limits.swap_bytes : limits.memory_bytes;
  }
  add_block_io(limits.block_io, host);
}

void add_privileges(const ContainerConfig& config, const DocumentContext& context, json::object& host) {
  const auto& privileges = config.privileges;
  json::array options;
  if (privileges.everything) host["Privileged"] = true;
  if (!privileges.everything && !privileges.may_gain) options.emplace_back("no-new-privileges:true");
  if (privileges.no_seccomp) options.emplace_back("seccomp=unconfined");
  if (privileges.no_masked_paths && is_podman(context)) options.emplace_back("unmask=ALL");
  if (privileges.no_masked_paths && !is_podman(context)) {
    host["MaskedPaths"] = json::array();
    host["ReadonlyPaths"] = json::array();
  }
  host["SecurityOpt"] = std::move(options);
  if (!privileges.device_rules.empty()) host["DeviceCgroupRules"] = to_array(privileges.device_rules);
  if (!config.cap_add.empty()) host["CapAdd"] = to_array(config.cap_add);
  if (!config.cap_drop.empty()) host["CapDrop"] = to_array(config.cap_drop);
}

std::string network_mode(const ContainerConfig& config, const DocumentContext& context) {
  if (config.network_namespace.empty()) return "host";
  return is_podman(context) ? "ns:" + config.network_namespace.string() : "none";
}

void add_namespaces(const ContainerConfig& config, const DocumentContext& context, json::object& host) {
  const auto& shared = config.host_namespaces;
  host["NetworkMode"] = network_mode(config, context);
  host["IpcMode"] = shared.ipc ? "host" : "private";
  if (shared.pid) host["PidMode"] = "host";
  if (shared.uts) host["UTSMode"] = "host";
  host["CgroupnsMode"] = shared.cgroup ? "host" : "private";
}

json::object to_sysctls(const ContainerConfig& config) {
  json::object object;
  // In its own network anyone may listen on port 80.
  if (!config.network_namespace.empty()) object["net.ipv4.ip_unprivileged_port_start"] = "0";
  for (const auto& [name, value] : config.sysctls) object[name] = value;
  return object;
}

json::object log_config(const ContainerConfig& config, const DocumentContext& context) {
  // Only a way station: what is kept is in our own segments.
  const auto bytes = std::max(config.log_bytes_max / 2, kEngineLogBytesMin);
  json::object options{{"max-size", std::to_string(bytes)}};
  if (!is_podman(context)) options["max-file"] = "2";
  return {{"Type", "json-file"}, {"Config", std::move(options)}};
}

Result<json::object> host_config(const ContainerConfig& config, const DocumentContext& context) {
  ASSIGN_OR_RETURN(auto mounts, to_mounts(config, context));
  json::object host{{"RestartPolicy", json::object{{"Name", "no"}}},
                    {"LogConfig", log_config(config, context)},
                    {"ReadonlyRootfs", config.read_only_root},
                    {"ShmSize", config.shm_bytes > 0 ? config.shm_bytes : kShmBytes}};
  if (!mounts.mounts.empty()) host["Mounts"] = std::move(mounts.mounts);
  if (!mounts.binds.empty()) host["Binds"] = std::move(mounts.binds);
  if (!mounts.tmpfs.empty()) host["Tmpfs"] = std::move(mounts.tmpfs);
  add_limits(config.limits, host);
  add_privileges(config, context, host);
  add_namespaces(config, context, host);
  if (auto sysctls = to_sysctls(config); !sysctls.empty()) host["Sysctls"] = std::move(sysctls);
  if (!config.devices.empty()) host["Devices"] = to_devices(config.devices);
  if (!config.ulimits.empty()) host["Ulimits"] = to_ulimits(config.ulimits);
  if (!config.additional_groups.empty()) host["GroupAdd"] = to_array(config.additional_groups);
  if (config.oom_score_adj != 0) host["OomScoreAdj"] = config.oom_score_adj;
  if (!config.oci_runtime.empty() && !is_podman(context)) host["Runtime"] = config.oci_runtime;
  return host;
}

json::object to_labels(const ContainerConfig& config, const DocumentContext& context) {
  json::object labels;
  for (const auto& [name, value] : config.labels) labels[name] = value;
  labels[kClusterLabel] = context.cluster_short_id;
  labels[kIdLabel] = config.id;
  return labels;
}

json::array gate_arguments(const ContainerConfig& config) {
  const std::string folder = shim::kGateFolder;
  json::array arguments{json::string(folder + "/" + shim::kGateProgram)};
  if (config.stdin_open && !config.tty) arguments.emplace_back(shim::kGateInput);
  arguments.emplace_back(config.init ? shim::kGateInit : shim::kGateRun);
  arguments.emplace_back(folder + "/" + shim::kGateSocket);
  return arguments;
}

}  // namespace

Result<std::string> container_document(const ContainerConfig& config, const DocumentContext& context) {
  RETURN_IF_ERROR(check(config, context));
  ASSIGN_OR_RETURN(auto host, host_config(config, context));
  json::object object{{"Image", config.image},
                      {"Entrypoint", gate_arguments(config)},
                      {"Cmd", to_array(config.arguments)},
                      {"Env", to_array(config.environment)},
                      {"WorkingDir", config.working_dir.empty() ? "/" : config.working_dir},
                      {"User", config.user},
                      {"Labels", to_labels(config, context)},
                      {"Tty", config.tty},
                      {"OpenStdin", config.stdin_open && config.tty},
                      {"StopSignal", config.stop_signal},
                      // Health is the agent's to ask about, whatever the image says.
                      {"Healthcheck", json::object{{"Test", json::array{"NONE"}}}},
                      {"HostConfig", std::move(host)}};
  if (!config.hostname.empty() && !config.host_namespaces.uts) object["Hostname"] = config.hostname;
  if (!config.domainname.empty()) object["Domainname"] = config.domainname;
  return json::serialize(object);
}

}  // namespace orchion::node::runtimes::engine
