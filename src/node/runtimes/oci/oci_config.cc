#include "node/runtimes/oci/oci_config.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "node/shim/bundle.h"

namespace orchion::node::runtimes::oci {

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

constexpr std::int64_t kCpuPeriodUs = 100'000;
constexpr std::int64_t kCpuQuotaMinUs = 1'000;  // the kernel's

template <class List>
json::array to_array(const List& list) {
  json::array array;
  for (const auto& item : list) array.emplace_back(item);
  return array;
}

json::object mount(std::string_view target, std::string_view type, std::string_view source,
                   std::initializer_list<std::string_view> options) {
  json::array list;
  for (const auto option : options) list.emplace_back(json::string_view(option.data(), option.size()));
  return {{"destination", json::string(target.begin(), target.end())},
          {"type", json::string(type.begin(), type.end())},
          {"source", json::string(source.begin(), source.end())},
          {"options", std::move(list)}};
}

json::array default_mounts() {
  return {
      mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
      mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
      mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})};
}

json::object to_mount(const MountPoint& point) {
  if (point.type == MountPoint::Type::kTmpfs) {
    auto made = mount(point.target.native(), "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"});
    auto& options = made["options"].as_array();
    if (point.tmpfs_bytes > 0) options.emplace_back(fmt::format("size={}", point.tmpfs_bytes));
    if (point.read_only) options.emplace_back("ro");
    return made;
  }
  return mount(point.target.native(), "bind", point.source.native(),
               {"rbind", "rprivate", point.read_only ? "ro" : "rw"});
}

json::array all_mounts(const ContainerConfig& config, const OciContext& context) {
  auto points = config.mounts;
  for (const char* name : {"resolv.conf", "hosts", "hostname"}) {
    const auto target = std::filesystem::path("/etc") / name;
    if (std::any_of(points.begin(), points.end(), [&](const MountPoint& p) { return p.target == target; })) continue;
    points.push_back({MountPoint::Type::kBind, context.bundle / name, target, false, 0});
  }
  // Parents before what lies in them.
  std::stable_sort(points.begin(), points.end(),
                   [](const MountPoint& a, const MountPoint& b) { return a.target < b.target; });
  auto mounts = default_mounts();
  for (const auto& point : points) mounts.push_back(to_mount(point));
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

json::object to_process(const ContainerConfig& config, const OciContext& context) {
  return {{"terminal", config.tty},
          {"user", to_user(context.user)},
          {"args", to_array(config.arguments)},
          {"env", full_environment(config, context.user)},
          {"cwd", config.working_dir.empty() ? "/" : config.working_dir},
          {"capabilities", to_capabilities(to_array(context.capabilities), context.user.uid)},
          {"noNewPrivileges", true}};
}

json::object to_resources(const ResourceLimits& limits, bool limits_swap) {
  json::object resources{{"devices", json::array{json::object{{"allow", false}, {"access", "rwm"}}}}};
  if (limits.memory_bytes > 0) {
    json::object memory{{"limit", limits.memory_bytes}};
    // Memory and swap together: no swap beyond the limit.
    if (limits_swap) memory["swap"] = limits.memory_bytes;
    resources["memory"] = std::move(memory);
  }
  if (limits.nano_cpus > 0) {
    const auto quota = static_cast<std::int64_t>(static_cast<double>(limits.nano_cpus) * kCpuPeriodUs / 1e9);
    resources["cpu"] = json::object{{"quota", std::max(quota, kCpuQuotaMinUs)}, {"period", kCpuPeriodUs}};
  }
  if (limits.pids > 0) resources["pids"] = json::object{{"limit", limits.pids}};
  return resources;
}

json::object to_linux(const ContainerConfig& config, const OciContext& context) {
  json::array namespaces;
  for (const char* type : {"pid", "ipc", "uts", "mount", "cgroup"}) namespaces.push_back(json::object{{"type", type}});
  json::object object{{"cgroupsPath", context.cgroup},
                      {"resources", to_resources(config.limits, context.limits_swap)},
                      {"maskedPaths", to_array(kMaskedPaths)},
                      {"readonlyPaths", to_array(kReadOnlyPaths)}};
  if (!config.network_namespace.empty()) {
    namespaces.push_back(json::object{{"type", "network"}, {"path", config.network_namespace.native()}});
    // As Docker: in its own network anyone may listen on port 80.
    object["sysctl"] = json::object{{"net.ipv4.ip_unprivileged_port_start", "0"}};
  }
  object["namespaces"] = std::move(namespaces);
  if (!context.seccomp_json.empty()) object["seccomp"] = json::parse(context.seccomp_json);
  return object;
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

std::string oci_config_json(const ContainerConfig& config, const OciContext& context) {
  json::object object{{"ociVersion", "1.0.2"},
                      {"process", to_process(config, context)},
                      {"root", json::object{{"path", shim::kRootFolder}, {"readonly", config.read_only_root}}},
                      {"mounts", all_mounts(config, context)},
                      {"linux", to_linux(config, context)}};
  if (!config.hostname.empty()) object["hostname"] = config.hostname;
  // Labels stay out: some annotations are orders to the runtime binary, to be carried out on the host.
  if (!context.seccomp_bpf_base64.empty())
    object["annotations"] = json::object{{"run.oci.seccomp_bpf_data", context.seccomp_bpf_base64}};
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

}  // namespace orchion::node::runtimes::oci
