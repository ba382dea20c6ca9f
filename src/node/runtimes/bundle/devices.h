#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/runtimes/container_options.h"

namespace orchion::node::runtimes::bundle {

// A device node as the kernel knows it.
struct DeviceNode {
  std::string path;  // in the container
  char type = 'c';   // or 'b'
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0660;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string permissions = "rwm";

  bool operator==(const DeviceNode&) const = default;
};

// What the machine's files say about the devices; folders become what is in them. kFailedPrecondition names a path
// that isn't there, or is no device. Blocks.
base::Result<std::vector<DeviceNode>> find_devices(const std::vector<Device>& devices);

// All of the machine's, for a container that is trusted with everything. Terminals and what every container has of its
// own are left out.
std::vector<DeviceNode> all_devices();

// Rates with their devices looked up: "8:0" of "/dev/sda".
struct NumberedRate {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint64_t rate = 0;
};
base::Result<std::vector<NumberedRate>> find_rates(const std::vector<BlockDeviceRate>& rates);

}  // namespace orchion::node::runtimes::bundle
