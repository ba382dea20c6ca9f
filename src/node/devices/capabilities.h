#pragma once

// What this machine can offer, as it really is.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "v1/objects.pb.h"

namespace orchion::node::devices {

// Reads the machine anew at each call, in about a millisecond; any thread. CPUs are what affinity, cpusets and
// quotas leave; memory is the least of the machine's and of every control group's above this process; disk is of
// the file system that holds `data_folder`, or will when it is created. What can't be found out stays zero or
// empty. `agent_version` is left to the caller.
v1::NodeCapabilities read_capabilities(const std::filesystem::path& data_folder,
                                       const std::vector<v1::RuntimeInfo>& runtimes);

// What of it comes from files, read below `root`: CPU, memory, operating system, cgroup version.
v1::NodeCapabilities read_capabilities_below(const std::filesystem::path& root);

// "0-3,8" → 5. nullopt where it isn't such a list.
std::optional<int> count_cpu_list(std::string_view list);

// PRETTY_NAME of an os-release file, or NAME; "Linux" where there is neither. Source: os-release(5)
std::string parse_os_release(std::string_view text);

// The kernel's name for a machine as images name it: "x86_64" → "amd64". Unknown ones unchanged.
// Source: https://go.dev/doc/install/source#environment
std::string image_architecture(std::string_view machine);

// Of the machine this runs on.
std::string host_architecture();

}  // namespace orchion::node::devices
