#pragma once

// What runtimes differ in, by the names under which a runtime says that it lacks it, the conformance test proves it and
// the guide's table shows it.

#include <string_view>

namespace orchion::node::runtimes::feature {

inline constexpr std::string_view kMemory = "memory limit";
inline constexpr std::string_view kSwap = "swap limit";
inline constexpr std::string_view kCpus = "CPU quota";
inline constexpr std::string_view kCpuShares = "CPU weight";
inline constexpr std::string_view kCpuset = "CPU set";
inline constexpr std::string_view kPids = "processes limit";
inline constexpr std::string_view kUlimits = "ulimits";
inline constexpr std::string_view kBlockRates = "disk rates";
inline constexpr std::string_view kBlockWeight = "disk weight";
inline constexpr std::string_view kReadOnlyRoot = "read-only root";
inline constexpr std::string_view kTmpfs = "tmpfs with a size";
inline constexpr std::string_view kShm = "size of /dev/shm";
inline constexpr std::string_view kSysctls = "sysctls";
inline constexpr std::string_view kDevices = "devices";
inline constexpr std::string_view kHooks = "hooks";
inline constexpr std::string_view kOwnUsers = "user namespaces";

}  // namespace orchion::node::runtimes::feature
