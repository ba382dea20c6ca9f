#pragma once

// A file of the Container Device Interface: devices of a kind, and what each does to a container that has it.
// Source: https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::devices::cdi {

struct DeviceNode {
  runtimes::Device device;  // its mode, user and group are unset unless the file names them
  char type = 0;            // 'c', 'b'; 0: whatever is there, and so below
  std::optional<std::uint32_t> major;
  std::optional<std::uint32_t> minor;
};

struct Edits {
  std::vector<std::string> environment;
  std::vector<DeviceNode> nodes;
  std::vector<runtimes::MountPoint> mounts;
  std::vector<runtimes::Hook> hooks;
  std::vector<std::string> groups;  // numbers
};

struct Spec {
  std::string kind;  // "vendor.com/class"
  Edits edits;       // of every container that has one of the devices
  std::map<std::string, Edits> devices;
};

// JSON or YAML. kInvalidArgument: it isn't a specification, or asks for what isn't known here; nothing in it is passed
// over.
base::Result<Spec> parse_spec(std::string_view text);

}  // namespace orchion::node::devices::cdi
