#include "node/runtimes/bundle/oci_config.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "node/shim/bundle.h"
#include "node/shim/input_pipe.h"

namespace orchion::node::runtimes::bundle {

namespace {

namespace json = boost::json;

// Of Docker's defaults, what could show or change the host through /proc and /sys.
// Source: https://github.com/moby/moby/blob/master/oci/defaults.go
constexpr const char* kMaskedPaths[] = {"/proc/asound",
                                        "/proc/acpi",
                                        "/proc/kcore",
                                        "/proc/keys",
                                        "/proc/latency_stats",
                                        "/proc/timer_list",
                                        "/proc/timer_stats",
                                        "/proc/sched_debug",
                                        "/proc/scsi",
                                        "/sys/firmware",
                                        "/sys/devices/virtual/powercap"};
constexpr const char* kReadOnlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

// Where the shim, which is the init too, is found in a container.
constexpr const char* kInitPath = "/dev/orchion-init";
constexpr const char* kInputPath = "/dev/orchion-input";  // where the shim's "hold" looks for it

constexpr std::int64_t kCpuPeriodUs = 100'000;
constexpr std::int64_t kCpuQuotaMinUs = 1'000;  // the kernel's

template <class List>
json::array to_array(const List& list) {
  json::array array;
  for (const auto& item : list) array.emplace_back(item);
  return array;
}

json::object mount(std::string_view target, std::string_view type, std::string_view source,
                   const std::vector<std::string>& options) {
  json::array list;
  for (const auto& option : options) list.emplace_back(option);
  return {{"destination", json::string(target.begin(), target.end())},
          {"type", json::string(type.begin(), type.end())},
          {"source", json::string(source.begin(), source.end())},
          {"options", std::move(list)}};
}

constexpr std::int64_t kShmBytes = std::int64_t{64} << 20;

// Its own users may not mount one of a network that they don't own.
json::object sys_mount(const OciContext& context, std::string_view access) {
  const std::vector<std::string> options{"nosuid", "noexec", "nodev", std::string(access)};
  if (!context.own_users) return mount("/sys", "sysfs", "sysfs", options);
  auto bound = options;
  bound.insert(bound.begin(), "rbind");
  return mount("/sys", "bind", (context.own_users->folder / shim::kUsersSys).native(), bound);
}

json::array default_mounts(const ContainerConfig& config, const OciContext& context) {
  const bool trusted = config.privileges.everything;
  const auto access = trusted ? "rw" : "ro";
  json::array mounts = {
      mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      sys_mount(context, access)};
  if (!context.cgroup.empty())
    mounts.push_back(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", access}));
  mounts.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  if (config.host_namespaces.ipc) {
    mounts.push_back(mount("/dev/shm", "bind", "/dev/shm", {"rbind", "rprivate"}));
    return mounts;
  }
  const auto size = fmt::format("size={}", config.shm_bytes > 0 ? config.shm_bytes : kShmBytes);
  mounts.push_back(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", size}));
  return mounts;
}

json::object to_mount(const MountPoint& point) {
  if (point.type == MountPoint::Type::kTmpfs) {
    const auto mode = fmt::format("mode={:o}", point.tmpfs_mode != 0 ? point.tmpfs_mode : 01777);
    auto made = mount(point.target.native(), "tmpfs", "tmpfs", {"nosuid", "nodev", mode});
    auto& options = made["options"].as_array();
    if (point.tmpfs_bytes > 0) options.emplace_back(fmt::format("size={}", point.tmpfs_bytes));
    for (const auto& option : point.tmpfs_options) options.emplace_back(option);
    if (point.read_only) options.emplace_back("ro");
    return made;
  }
  auto options = point.flags;
  options.insert(options.end(), {point.recursive ? "rbind" : "bind", point.propagation, point.read_only ? "ro" : "rw"});
  return mount(point.target.native(), "bind", point.source.native(), options);
}

json::object to_prepared_bind(const MountPoint& point, const OwnUsers& users, std::size_t number) {
  const auto source = users.folder / shim::kUsersBinds / std::to_string(number);
  return mount(point.target.native(), "bind", source.native(), {"rbind", point.propagation});
}

// With users of its own a container gets binds, and devices, that the shim has made ready.
json::array all_mounts(const ContainerConfig& config, const OciContext& context) {
  auto mounts = default_mounts(config, context);
  std::size_t binds = 0;
  for (const auto& point : mount_points(config, context)) {
    const bool prepared = context.own_users && point.type == MountPoint::Type::kBind;
    mounts.push_back(prepared ? to_prepared_bind(point, *context.own_users, binds++) : to_mount(point));
  }
  if (!context.own_users) return mounts;
  for (std::size_t i = 0; i < context.devices.size(); ++i) {
    const auto source = context.own_users->folder / shim::kUsersDevices / std::to_string(i);
    mounts.push_back(mount(context.devices[i].path, "bind", source.native(), {"bind", "rprivate"}));
  }
  return mounts;
}

bool has_variable(const std::vector<std::string>& environment, std::string_view name) {
  return std::any_of(environment.begin(), environment.end(), [&](const std::string& entry) {
    return entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=';
  });
}

// What every program expects to be set, where the image doesn't.
json::array full_environment(const ContainerConfig& config, const ContainerUser& user) {
  auto environment = config.environment;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!has_variable(environment, name)) environment.push_back(fmt::format("{}={}", name, value));
  };
  add("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  add("HOME", user.home);
  if (!config.hostname.empty()) add("HOSTNAME", config.hostname);
  if (config.tty) add("TERM", "xterm");
  return to_array(environment);
}

// The own group is also among the additional ones, or a program that changes its group would shed it, and with it
// what files deny to that group (CVE-2022-36109).
json::object to_user(const ContainerUser& user) {
  json::array gids{user.gid};
  for (const auto gid : user.additional_gids) gids.emplace_back(gid);
  return {{"uid", user.uid}, {"gid", user.gid}, {"additionalGids", std::move(gids)}};
}

// An ordinary user has none in effect, as after any execve; what is bounding stays for file capabilities.
json::object to_capabilities(const json::array& names, std::uint32_t uid) {
  json::object object{{"bounding", names}};
  if (uid == 0) {
    object["effective"] = names;
    object["permitted"] = names;
  }
  return object;
}

// The kernel's own word for no limit.
constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

json::array to_rlimits(const std::vector<Ulimit>& limits) {
  const auto figure = [](std::int64_t value) { return value < 0 ? kUnlimited : static_cast<std::uint64_t>(value); };
  json::array array;
  for (const auto& limit : limits) {
    std::string type = "RLIMIT_" + limit.name;
    std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::toupper(c); });
    array.push_back(json::object{{"type", type}, {"soft", figure(limit.soft)}, {"hard", figure(limit.hard)}});
  }
  return array;
}

json::array to_arguments(const ContainerConfig& config, const OciContext& context) {
  json::array arguments;
  const auto add_mode = [&](const char* mode) {
    arguments.emplace_back(kInitPath);
    arguments.emplace_back(mode);
  };
  if (context.holds_input) add_mode("hold");
  if (config.init) add_mode("init");
  for (const auto& argument : config.arguments) arguments.emplace_back(argument);
  return arguments;
}

json::object to_process(const ContainerConfig& config, const OciContext& context) {
  json::object process{{"terminal", config.tty},
                       {"user", to_user(context.user)},
                       {"args", to_arguments(config, context)},
                       {"env", full_environment(config, context.user)},
                       {"cwd", config.working_dir.empty() ? "/" : config.working_dir},
                       {"capabilities", to_capabilities(to_array(context.capabilities), context.user.uid)},
                       {"noNewPrivileges", !config.privileges.may_gain && !config.privileges.everything}};
  if (!config.ulimits.empty()) process["rlimits"] = to_rlimits(config.ulimits);
  if (config.oom_score_adj != 0) process["oomScoreAdj"] = config.oom_score_adj;
  return process;
}

json::array to_rates(const std::vector<NumberedRate>& rates, const char* figure) {
  json::array array;
  for (const auto& rate : rates)
    array.push_back(json::object{{"major", rate.major}, {"minor", rate.minor}, {figure, rate.rate}});
  return array;
}

json::object to_block_io(const BlockIo& io, const OciContext& context) {
  json::object object;
  if (io.weight > 0) object["weight"] = io.weight;
  const auto add = [&](const char* name, const std::vector<NumberedRate>& rates, const char* figure) {
    if (!rates.empty()) object[name] = to_rates(rates, figure);
  };
  add("weightDevice", context.weights, "weight");
  add("throttleReadBpsDevice", context.read_bytes, "rate");
  add("throttleReadIOPSDevice", context.read_operations, "rate");
  add("throttleWriteBpsDevice", context.write_bytes, "rate");
  add("throttleWriteIOPSDevice", context.write_operations, "rate");
  return object;
}

// "c 10:229 rwm" as the runtime specification has it; `*` is left out.
json::object to_device_rule(std::string_view rule) {
  const auto colon = rule.find(':'), blank = rule.rfind(' ');
  json::object object{
      {"allow", true}, {"type", std::string(1, rule[0])}, {"access", json::string_view(rule.substr(blank + 1))}};
  const auto add = [&](const char* name, std::string_view text) {
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec == std::errc()) object[name] = number;
  };
  add("major", rule.substr(2, colon - 2));
  add("minor", rule.substr(colon + 1, blank - colon - 1));
  return object;
}

json::array to_device_rules(const ContainerConfig& config, const OciContext& context) {
  if (config.privileges.everything) return {json::object{{"allow", true}, {"access", "rwm"}}};
  json::array rules{json::object{{"allow", false}, {"access", "rwm"}}};
  for (const auto& device : context.devices)
    rules.push_back(json::object{{"allow", true},
                                 {"type", std::string(1, device.type)},
                                 {"major", device.major},
                                 {"minor", device.minor},
                                 {"access", device.permissions}});
  for (const auto& rule : config.privileges.device_rules) rules.push_back(to_device_rule(rule));
  return rules;
}

json::object to_resources(const ContainerConfig& config, const OciContext& context) {
  const auto& limits = config.limits;
  json::object resources{{"devices", to_device_rules(config, context)}};
  if (limits.memory_bytes > 0) {
    json::object memory{{"limit", limits.memory_bytes}};
    // Memory and swap together: no swap beyond the limit, where nothing else is said.
    if (context.limits_swap) memory["swap"] = limits.swap_bytes != 0 ? limits.swap_bytes : limits.memory_bytes;
    resources["memory"] = std::move(memory);
  }
  json::object cpu;
  if (limits.nano_cpus > 0) {
    const auto quota = static_cast<std::int64_t>(static_cast<double>(limits.nano_cpus) * kCpuPeriodUs / 1e9);
    cpu["quota"] = std::max(quota, kCpuQuotaMinUs);
    cpu["period"] = kCpuPeriodUs;
  }
  if (limits.cpu_shares > 0) cpu["shares"] = limits.cpu_shares;
  if (!limits.cpuset.empty()) cpu["cpus"] = limits.cpuset;
  if (!cpu.empty()) resources["cpu"] = std::move(cpu);
  if (limits.pids > 0) resources["pids"] = json::object{{"limit", limits.pids}};
  if (auto io = to_block_io(limits.block_io, context); !io.empty()) resources["blockIO"] = std::move(io);
  return resources;
}

json::array to_devices(const std::vector<DeviceNode>& devices) {
  json::array array;
  for (const auto& device : devices)
    array.push_back(json::object{{"path", device.path},
                                 {"type", std::string(1, device.type)},
                                 {"major", device.major},
                                 {"minor", device.minor},
                                 {"fileMode", device.mode},
                                 {"uid", device.uid},
                                 {"gid", device.gid}});
  return array;
}

json::array to_namespaces(const ContainerConfig& config, const OciContext& context) {
  const auto& host = config.host_namespaces;
  json::array namespaces{json::object{{"type", "mount"}}};
  if (!host.pid) namespaces.push_back(json::object{{"type", "pid"}});
  if (!host.ipc) namespaces.push_back(json::object{{"type", "ipc"}});
  if (!host.uts) namespaces.push_back(json::object{{"type", "uts"}});
  if (!host.cgroup) namespaces.push_back(json::object{{"type", "cgroup"}});
  if (context.own_users) namespaces.push_back(json::object{{"type", "user"}});
  const bool is_in_network = context.own_users && context.own_users->enters_network;
  if (!config.network_namespace.empty() && !is_in_network)
    namespaces.push_back(json::object{{"type", "network"}, {"path", config.network_namespace.native()}});
  return namespaces;
}

bool is_of_network(std::string_view sysctl) {
  return sysctl.starts_with("net.");
}

// With users of its own the container's root may not: the shim does.
json::object to_sysctls(const ContainerConfig& config, const OciContext& context) {
  json::object object;
  if (context.own_users) return object;
  for (const auto& [name, value] : network_sysctls(config, context)) object[name] = value;
  for (const auto& [name, value] : own_sysctls(config)) object[name] = value;
  return object;
}

json::array to_mappings(const OwnUsers& users) {
  return {json::object{{"containerID", 0}, {"hostID", users.first}, {"size", users.count}}};
}

json::object to_linux(const ContainerConfig& config, const OciContext& context) {
  json::object object{{"namespaces", to_namespaces(config, context)}};
  if (!context.cgroup.empty()) {
    object["cgroupsPath"] = context.cgroup;
    object["resources"] = to_resources(config, context);
  }
  if (!config.privileges.everything && !config.privileges.no_masked_paths) {
    object["maskedPaths"] = to_array(kMaskedPaths);
    object["readonlyPaths"] = to_array(kReadOnlyPaths);
  }
  if (auto sysctls = to_sysctls(config, context); !sysctls.empty()) object["sysctl"] = std::move(sysctls);
  if (context.own_users) {
    object["uidMappings"] = to_mappings(*context.own_users);
    object["gidMappings"] = to_mappings(*context.own_users);
  }
  if (!context.devices.empty() && !context.own_users) object["devices"] = to_devices(context.devices);
  if (!context.seccomp_json.empty()) object["seccomp"] = json::parse(context.seccomp_json);
  return object;
}

json::object to_hook(const Hook& hook) {
  json::object made{{"path", hook.path.native()}};
  if (!hook.arguments.empty()) made["args"] = to_array(hook.arguments);
  if (!hook.environment.empty()) made["env"] = to_array(hook.environment);
  if (hook.timeout_s > 0) made["timeout"] = hook.timeout_s;
  return made;
}

// Ours is the first: the node's see the container as it will be.
json::object to_hooks(const ContainerConfig& config, const OciContext& context) {
  auto hooks = config.hooks;
  if (context.own_users && !own_sysctls(config).empty())
    hooks.insert(hooks.begin(), {.stage = "createRuntime",
                                 .path = context.init,
                                 .arguments = {"orchion-shim", "own-sysctls", context.bundle.native()}});
  json::object stages;
  for (const auto& hook : hooks) {
    auto& stage = stages[hook.stage];
    if (!stage.is_array()) stage.emplace_array();
    stage.as_array().push_back(to_hook(hook));
  }
  return stages;
}

// Labels stay out, and of annotations those that some runtime takes as orders, to be carried out on the host.
json::object to_annotations(const ContainerConfig& config, const OciContext& context) {
  json::object annotations;
  for (const auto& [name, value] : config.annotations) {
    if (!is_order(name)) annotations[name] = value;
  }
  if (!context.seccomp_bpf_base64.empty()) annotations["run.oci.seccomp_bpf_data"] = context.seccomp_bpf_base64;
  return annotations;
}

// The container's environment with `added` over it.
json::array merge_environment(const json::array& environment, const std::vector<std::string>& added) {
  json::array merged;
  for (const auto& entry : environment) {
    const auto& text = entry.as_string();
    const std::string name(text.begin(), std::find(text.begin(), text.end(), '='));
    if (!has_variable(added, name)) merged.push_back(entry);
  }
  for (const auto& entry : added) merged.emplace_back(entry);
  return merged;
}

}  // namespace

std::vector<MountPoint> mount_points(const ContainerConfig& config, const OciContext& context) {
  auto points = config.mounts;
  const auto add = [&](const std::filesystem::path& source, const std::filesystem::path& target, bool read_only) {
    if (std::any_of(points.begin(), points.end(), [&](const MountPoint& p) { return p.target == target; })) return;
    points.push_back({.source = source, .target = target, .read_only = read_only});
  };
  for (const char* name : {"resolv.conf", "hosts", "hostname"})
    add(context.bundle / name, std::filesystem::path("/etc") / name, false);
  for (std::size_t i = 0; i < config.files.size(); ++i)
    add(context.files / std::to_string(i), config.files[i].target, true);
  if (config.init || context.holds_input) add(context.init, kInitPath, true);
  if (context.holds_input) add(context.bundle / shim::kInputFifo, kInputPath, true);
  // Parents before what lies in them.
  std::stable_sort(points.begin(), points.end(),
                   [](const MountPoint& a, const MountPoint& b) { return a.target < b.target; });
  return points;
}

std::map<std::string, std::string> network_sysctls(const ContainerConfig& config, const OciContext& context) {
  std::map<std::string, std::string> found;
  if (!config.network_namespace.empty()) {
    // As Docker: in its own network anyone may listen on port 80.
    found.emplace("net.ipv4.ip_unprivileged_port_start", "0");
    // Without a raw socket, which only the network's owner gets, ping has another, for groups that are named.
    if (context.own_users)
      found["net.ipv4.ping_group_range"] =
          fmt::format("{} {}", context.own_users->first, context.own_users->first + context.own_users->count - 1);
  }
  for (const auto& [name, value] : config.sysctls) {
    if (is_of_network(name)) found[name] = value;
  }
  return found;
}

std::map<std::string, std::string> own_sysctls(const ContainerConfig& config) {
  std::map<std::string, std::string> found;
  if (!config.domainname.empty() && !config.host_namespaces.uts) found.emplace("kernel.domainname", config.domainname);
  for (const auto& [name, value] : config.sysctls) {
    if (!is_of_network(name)) found[name] = value;
  }
  return found;
}

// Sources: crun(1), runc's docs/systemd-properties.md, criu's runc integration, gVisor, Kata Containers, containerd.
bool is_order(std::string_view annotation) {
  constexpr std::string_view kPrefixes[] = {"run.oci.",    "org.systemd.property.", "org.criu.",      "module.wasm.",
                                            "dev.gvisor.", "io.katacontainers.",    "io.containerd.", "io.kubernetes."};
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return annotation.starts_with(prefix); });
}

std::string oci_config_json(const ContainerConfig& config, const OciContext& context) {
  const auto root =
      context.own_users ? context.own_users->folder / shim::kUsersRoot : std::filesystem::path(shim::kRootFolder);
  json::object object{{"ociVersion", "1.0.2"},
                      {"process", to_process(config, context)},
                      {"root", json::object{{"path", root.native()}, {"readonly", config.read_only_root}}},
                      {"mounts", all_mounts(config, context)},
                      {"linux", to_linux(config, context)}};
  if (!config.hostname.empty() && !config.host_namespaces.uts) object["hostname"] = config.hostname;
  if (auto hooks = to_hooks(config, context); !hooks.empty()) object["hooks"] = std::move(hooks);
  if (auto annotations = to_annotations(config, context); !annotations.empty())
    object["annotations"] = std::move(annotations);
  return json::serialize(object);
}

base::Result<std::string> oci_exec_json(std::string_view config_json, const ExecConfig& exec,
                                        const ContainerUser* user) try {
  const auto config = json::parse(json::string_view(config_json.data(), config_json.size()));
  auto process = config.as_object().at("process").as_object();
  process["terminal"] = exec.tty;
  process["args"] = to_array(exec.arguments);
  auto added = exec.environment;
  if (exec.tty && !has_variable(added, "TERM")) added.push_back("TERM=xterm");
  if (user != nullptr) {
    process["user"] = to_user(*user);
    const auto bounding = process.at("capabilities").as_object().at("bounding").as_array();
    process["capabilities"] = to_capabilities(bounding, user->uid);
    if (!has_variable(added, "HOME")) added.push_back("HOME=" + user->home);
  }
  process["env"] = merge_environment(process.at("env").as_array(), added);
  if (!exec.working_dir.empty()) process["cwd"] = exec.working_dir;
  if (exec.tty) process["consoleSize"] = json::object{{"height", exec.rows}, {"width", exec.columns}};
  return json::serialize(process);
} catch (const std::exception& e) {
  return base::fail(base::Code::kDataLoss,
                    fmt::format("the container's configuration is damaged ({}): remove and recreate it", e.what()));
}

}  // namespace orchion::node::runtimes::bundle
