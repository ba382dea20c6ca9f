#pragma once

// The addresses of this machine that others reach. IPv4.

#include <optional>
#include <string>

namespace orchion::daemon {

// The address from which this machine talks to `host` (an address or a name); nullopt where there is no way there, or
// only loopback. Sends nothing.
std::optional<std::string> address_towards(const std::string& host);

// The address that the default route leaves by.
std::optional<std::string> default_address();

}  // namespace orchion::daemon
