#include "core/node_addresses.h"

#include <fmt/core.h>

namespace orchion::core {

base::Result<std::uint32_t> free_host_address(const std::set<std::uint32_t>& taken) {
  for (std::uint32_t address = kHostAddresses.base + 1; address < kHostAddresses.last(); ++address)
    if (!taken.contains(address)) return address;
  return base::fail(base::Code::kResourceExhausted,
                    fmt::format("all addresses of {} belong to nodes: remove nodes that are gone (orchion node rm)",
                                kHostAddresses.text()));
}

std::uint32_t tunnel_address(std::uint32_t host_address) {
  return kTunnelAddresses.base + (host_address - kHostAddresses.base);
}

}  // namespace orchion::core
