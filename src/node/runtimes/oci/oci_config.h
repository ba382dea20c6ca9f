#pragma once

// A container as the OCI runtime specification describes it: config.json.
// Source: https://github.com/opencontainers/runtime-spec/blob/main/config.md

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/runtimes/oci/container_user.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::oci {

// What the machine adds to a ContainerConfig.
struct OciContext {
  ContainerUser user;
  std::vector<std::string> capabilities;  // effective_capabilities()
  std::string cgroup;                     // "/orchion-x/ID"
  std::filesystem::path bundle;           // its hosts, hostname and resolv.conf are mounted
  bool limits_swap = false;
  std::string seccomp_bpf_base64;  // for crun; exactly one of the two
  std::string seccomp_json;        // for runc
};

std::string oci_config_json(const ContainerConfig& config, const OciContext& context);

// The process object for an exec in the container of `config_json`; `user` is empty for the container's own.
base::Result<std::string> oci_exec_json(std::string_view config_json, const ExecConfig& exec,
                                        const ContainerUser* user);

}  // namespace orchion::node::runtimes::oci
