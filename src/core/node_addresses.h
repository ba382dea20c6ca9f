#pragma once

// The addresses of nodes among the cluster's networks: IPv4, host byte order. The end of the pool that networks get
// their subnets from is theirs alone.

#include <cstdint>
#include <set>

#include "base/error.h"
#include "core/subnet.h"

namespace orchion::core {

constexpr Subnet kNetworkPool{0x0ac00000, 10};      // 10.192.0.0/10
constexpr Subnet kNodeAddresses{0x0aff0000, 16};    // 10.255.0.0/16, of which
constexpr Subnet kHostAddresses{0x0aff0000, 17};    // 10.255.0.0/17: machines themselves, as tasks' neighbours
constexpr Subnet kTunnelAddresses{0x0aff8000, 17};  // 10.255.128.0/17: the same machines within WireGuard

// The lowest host address that none of `taken` is. kResourceExhausted where there is none.
base::Result<std::uint32_t> free_host_address(const std::set<std::uint32_t>& taken);

// The tunnel address of the machine with this host address: the same number in the other range.
std::uint32_t tunnel_address(std::uint32_t host_address);

}  // namespace orchion::core
