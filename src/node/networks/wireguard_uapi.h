#pragma once

// The text by which programs that are WireGuard are asked and told. Pure.
// Source: https://www.wireguard.com/xplatform/#configuration-protocol.

#include <string>
#include <string_view>

#include "node/networks/wireguard.h"

namespace orchion::node::networks {

inline constexpr std::string_view kUapiGet = "get=1\n\n";

// Has private keys in it.
std::string uapi_set_text(const WireguardChange& change);

// The errno in an answer; kDataLoss where there is none.
base::Result<int> parse_uapi_errno(std::string_view answer);

// The answer to kUapiGet.
base::Result<WireguardDevice> parse_uapi_device(std::string_view answer);

}  // namespace orchion::node::networks
