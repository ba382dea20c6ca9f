#include "node/runtimes/process/program_record.h"

#include <algorithm>

#include <fmt/core.h>
#include <sys/resource.h>

#include "node/runtimes/bundle/linux_capabilities.h"
#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::process {

namespace {

namespace program = shim::program;
using base::Code;
using base::Result;

constexpr std::string_view kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct LimitName {
  std::string_view name;
  int resource;
};
constexpr LimitName kLimits[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK}};

bool empty(const BlockIo& io) {
  return io.weight == 0 && io.weights.empty() && io.read_bytes.empty() && io.read_operations.empty() &&
         io.write_bytes.empty() && io.write_operations.empty();
}

Result<> refuse(std::string_view field, std::string_view why) {
  return base::fail(Code::kInvalidArgument,
                    fmt::format("a service with the executor \"process\" can't have {}: {}", field, why));
}

bool has_variable(const std::vector<std::string>& environment, std::string_view prefix) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const std::string& entry) { return entry.starts_with(prefix); });
}

Result<std::string> limit_line(const Ulimit& limit) {
  const auto found = std::find_if(std::begin(kLimits), std::end(kLimits),
                                  [&](const LimitName& known) { return known.name == limit.name; });
  if (found == std::end(kLimits))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("there is no ulimit {}: see setrlimit(2) for their names", limit.name));
  const auto figure = [](std::int64_t value) { return value < 0 ? RLIM_INFINITY : static_cast<rlim_t>(value); };
  return fmt::format("{} {} {}", found->resource, figure(limit.soft), figure(limit.hard));
}

void add_user(shim::RecordWriter& record, const bundle::ContainerUser& user) {
  record.add(program::kUid, user.uid);
  record.add(program::kGid, user.gid);
  for (const auto gid : user.additional_gids) record.add(program::kGroup, gid);
}

void add_all(shim::RecordWriter& record, const char* name, const std::vector<std::string>& values) {
  for (const auto& value : values) record.add(name, value);
}

void copy_all(shim::RecordWriter& record, std::string_view from, const char* name) {
  std::size_t position = 0;
  std::string_view value;
  while (shim::next_value(from, name, position, value)) record.add(name, value);
}

Result<std::string> whole(const shim::RecordWriter& record) {
  if (record.ok()) return std::string(record.text());
  return base::fail(Code::kInvalidArgument,
                    "the program's settings are too long: give it shorter paths or fewer groups");
}

}  // namespace

Result<> check_program(const ContainerConfig& config) {
  if (config.arguments.empty())
    return base::fail(Code::kInvalidArgument, "a process needs a command: give the service one");
  if (!config.layers.empty() || !config.image.empty()) return refuse("an image", "it is a program of the node");
  if (!config.network_namespace.empty()) return refuse("networks", "it is in the node's own");
  if (!config.mounts.empty()) return refuse("mounts (volumes, tmpfs)", "it sees the node's files; name their paths");
  if (!config.files.empty()) return refuse("configs or secrets", "it has no root of its own to put them in");
  if (config.read_only_root) return refuse("read_only", "its root is the node's");
  if (!config.cap_add.empty()) return refuse("cap_add", "its user's capabilities are all it gets; choose its user");
  if (config.privileges.everything) return refuse("privileged", "nothing is walled off from it");
  if (!config.privileges.device_rules.empty()) return refuse("device_cgroup_rules", "it has the node's devices");
  if (config.own_users) return refuse("userns_mode", "it is the node's users that it runs as; choose its user");
  if (!config.devices.empty()) return refuse("devices", "it has the node's; give its user the group they belong to");
  if (!config.hooks.empty()) return refuse("hooks", "no OCI runtime starts it");
  if (!config.sysctls.empty()) return refuse("sysctls", "they would be the whole node's");
  if (config.shm_bytes != 0) return refuse("shm_size", "its /dev/shm is the node's");
  if (!config.extra_hosts.empty()) return refuse("extra_hosts", "its /etc/hosts is the node's");
  if (!config.dns_options.empty()) return refuse("dns_opt", "its resolv.conf is the node's");
  if (!config.domainname.empty()) return refuse("domainname", "its names are the node's");
  if (!config.oci_runtime.empty()) return refuse("a runtime", "no OCI runtime starts it");
  if (!empty(config.limits.block_io)) return refuse("blkio_config", "only cpu, memory and pids limits are set");
  if (!config.working_dir.starts_with('/'))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("the working directory {} is not absolute: begin it with /", config.working_dir));
  for (const auto& limit : config.ulimits) {
    if (const auto line = limit_line(limit); !line) return std::unexpected(line.error());
  }
  return {};
}

std::vector<std::string> program_environment(std::vector<std::string> given, bool tty) {
  if (!has_variable(given, "PATH=")) given.emplace_back(kPath);
  if (tty && !has_variable(given, "TERM=")) given.emplace_back("TERM=xterm");
  return given;
}

Result<std::string> program_record(const ContainerConfig& config, const bundle::ContainerUser& user,
                                   const CgroupPlan& cgroups) {
  shim::RecordWriter record;
  add_user(record, user);
  record.add(program::kWorkingDir, config.working_dir);
  for (const auto& limit : config.ulimits) {
    ASSIGN_OR_RETURN(const auto line, limit_line(limit));
    record.add(program::kLimit, line);
  }
  if (config.oom_score_adj != 0) record.add(program::kOomScoreAdj, config.oom_score_adj);
  record.add(program::kMayGain, config.privileges.may_gain ? 1 : 0);
  ASSIGN_OR_RETURN(const auto mask, bundle::capability_mask_without(config.cap_drop));
  record.add(program::kCapabilities, static_cast<std::int64_t>(mask));
  add_all(record, program::kMakeParent, cgroups.parents);
  add_all(record, program::kWriteParent, cgroups.parent_writes);
  add_all(record, program::kMakeGroup, cgroups.groups);
  add_all(record, program::kWriteGroup, cgroups.writes);
  add_all(record, program::kEnter, cgroups.groups);
  return whole(record);
}

Result<std::string> exec_record(std::string_view program_text, const ExecConfig& config,
                                const std::optional<bundle::ContainerUser>& user) {
  shim::RecordWriter record;
  if (user) {
    add_user(record, *user);
  } else {
    for (const char* name : {program::kUid, program::kGid, program::kGroup}) copy_all(record, program_text, name);
  }
  if (config.working_dir.empty()) {
    copy_all(record, program_text, program::kWorkingDir);
  } else {
    record.add(program::kWorkingDir, config.working_dir);
  }
  for (const char* name :
       {program::kLimit, program::kOomScoreAdj, program::kMayGain, program::kCapabilities, program::kEnter})
    copy_all(record, program_text, name);
  record.add(program::kColumns, config.columns);
  record.add(program::kRows, config.rows);
  return whole(record);
}

Result<std::string> join_strings(const std::vector<std::string>& strings) {
  std::string text;
  for (const auto& string : strings) {
    if (string.find('\0') != string.npos)
      return base::fail(Code::kInvalidArgument, "an argument or variable has a NUL character in it: take it out");
    text += string;
    text += '\0';
  }
  return text;
}

std::vector<std::string> split_strings(std::string_view text) {
  std::vector<std::string> strings;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\0', at);
    strings.emplace_back(text.substr(at, end - at));
    at = end == text.npos ? text.size() : end + 1;
  }
  return strings;
}

}  // namespace orchion::node::runtimes::process
