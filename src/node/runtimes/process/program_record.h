#pragma once

// A program as the shim starts it: three small files in a folder (node/shim/bundle.h: kProgramFile and neighbours).

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/runtimes/bundle/container_user.h"
#include "node/runtimes/process/cgroup_plan.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::process {

// kInvalidArgument, with a sentence that names the field, where a program of the node can't have what is asked for.
// What every task is given anyway (a host name, name servers, hosts) passes. Pure.
base::Result<> check_program(const ContainerConfig& config);

// The environment it gets: what is given, a PATH, and TERM where there is a terminal. Pure.
std::vector<std::string> program_environment(std::vector<std::string> given, bool tty);

// The record for a run. Pure.
base::Result<std::string> program_record(const ContainerConfig& config, const bundle::ContainerUser& user,
                                         const CgroupPlan& cgroups);

// From the record of the running program, that of an exec beside it; `user` where it has another. Pure.
base::Result<std::string> exec_record(std::string_view program, const ExecConfig& config,
                                      const std::optional<bundle::ContainerUser>& user);

// Each with a NUL at its end. kInvalidArgument where one has a NUL in it.
base::Result<std::string> join_strings(const std::vector<std::string>& strings);
std::vector<std::string> split_strings(std::string_view text);

}  // namespace orchion::node::runtimes::process
