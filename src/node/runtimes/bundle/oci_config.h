#pragma once

// A container as the OCI runtime specification describes it: config.json.
// Source: https://github.com/opencontainers/runtime-spec/blob/main/config.md

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/runtimes/bundle/container_user.h"
#include "node/runtimes/bundle/devices.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::bundle {

// The users of a container that has its own.
struct OwnUsers {
  std::uint32_t first = 0;  // the node's number of user and group 0 inside
  std::uint32_t count = 0;
  bool enters_network = false;   // whoever starts it is in its network already
  std::filesystem::path folder;  // where the shim mounts what the container sees (shim/bundle.h: kUsers…)
};

// What the machine adds to a ContainerConfig.
struct OciContext {
  ContainerUser user;
  std::vector<std::string> capabilities;  // effective_capabilities()
  std::string cgroup;                     // "/orchion-x/ID"; empty: it has none of its own
  std::filesystem::path bundle;           // its hosts, hostname and resolv.conf are mounted
  bool limits_swap = false;
  std::string seccomp_bpf_base64;  // for crun; one of the two, or none where there is no filter
  std::string seccomp_json;        // for runc
  std::vector<DeviceNode> devices = {};
  std::vector<NumberedRate> weights = {};  // the rates of limits.block_io, looked up
  std::vector<NumberedRate> read_bytes = {};
  std::vector<NumberedRate> read_operations = {};
  std::vector<NumberedRate> write_bytes = {};
  std::vector<NumberedRate> write_operations = {};
  std::filesystem::path files = {};  // config.files by their number are in it
  std::filesystem::path init = {};   // the program on this machine that is the first process where config.init
  std::optional<OwnUsers> own_users = {};
  bool holds_input = false;  // its input is the fifo in the bundle: whoever starts it has no other way in
};

// Everything that is bound or mounted beside what every container has, parents first.
std::vector<MountPoint> mount_points(const ContainerConfig& config, const OciContext& context);

// What of the container's network is to be set: by the OCI runtime, or where the container has users of its own, which
// may not, by the shim.
std::map<std::string, std::string> network_sysctls(const ContainerConfig& config, const OciContext& context);

// What of its ipc and uts namespaces is to be set; by whom, likewise.
std::map<std::string, std::string> own_sysctls(const ContainerConfig& config);

// An annotation by which its name's owner tells a runtime what to do.
bool is_order(std::string_view annotation);

std::string oci_config_json(const ContainerConfig& config, const OciContext& context);

// The process object for an exec in the container of `config_json`; `user` is empty for the container's own.
base::Result<std::string> oci_exec_json(std::string_view config_json, const ExecConfig& exec,
                                        const ContainerUser* user);

}  // namespace orchion::node::runtimes::bundle
