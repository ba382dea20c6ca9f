#pragma once

// What a container may have beside its program, files and network: most have none of it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace orchion::node::runtimes {

struct Device {
  std::filesystem::path source;  // on the node; a folder stands for the devices in it
  std::filesystem::path target;
  std::string permissions = "rwm";
  std::optional<std::uint32_t> mode = {};  // in the container, and so below; unset: as on the node
  std::optional<std::uint32_t> uid = {};
  std::optional<std::uint32_t> gid = {};
};

// A program of the node that the OCI runtime calls, as root of the node, at a stage of the container's life.
// Source: https://github.com/opencontainers/runtime-spec/blob/main/config.md#posix-platform-hooks
struct Hook {
  std::string stage;  // "createRuntime", "poststop", …
  std::filesystem::path path;
  std::vector<std::string> arguments = {};    // the first is the program's own name; none: that is its path
  std::vector<std::string> environment = {};  // all that it has
  int timeout_s = 0;                          // 0: none
};

struct Ulimit {
  std::string name;       // "nofile"
  std::int64_t soft = 0;  // -1: unlimited
  std::int64_t hard = 0;
};

struct BlockDeviceRate {
  std::filesystem::path path;
  std::uint64_t rate = 0;
};

struct BlockIo {
  std::uint32_t weight = 0;  // 0: not set
  std::vector<BlockDeviceRate> weights;
  std::vector<BlockDeviceRate> read_bytes;
  std::vector<BlockDeviceRate> read_operations;
  std::vector<BlockDeviceRate> write_bytes;
  std::vector<BlockDeviceRate> write_operations;
};

// A small file that is put into the container, from memory alone.
struct FileContent {
  std::filesystem::path target;
  std::string bytes;
  std::uint32_t mode = 0444;
  std::optional<std::uint32_t> uid;  // unset: the container's user
  std::optional<std::uint32_t> gid;
};

// What is taken away from the walls around a container.
struct Privileges {
  bool everything = false;  // privileged: every capability and device, nothing masked, no seccomp
  bool may_gain = false;    // set-uid programs work
  bool no_seccomp = false;
  bool no_masked_paths = false;
  std::vector<std::string> device_rules;  // "c 10:229 rwm"
};

// The node's own instead of one for the container.
struct HostNamespaces {
  bool ipc = false;
  bool pid = false;
  bool uts = false;
  bool cgroup = false;
};

}  // namespace orchion::node::runtimes
