#pragma once

// Keeps web pages away from a server that listens on loopback.

#include <string>
#include <vector>

#include "wire/host_port.h"
#include "wire/http.h"

namespace orchion::control::serving {

// kPermissionDenied where the Host header names neither loopback nor one of `allowed_hosts` (a page whose name was
// rebound to 127.0.0.1 would), or where a change or a WebSocket comes from a page of another origin. A unix socket
// is out of a browser's reach: only Origin counts there.
base::Result<> check_origin(const wire::Request& request, bool websocket,
                            const std::vector<std::string>& allowed_hosts);

// `address` ("127.0.0.1:4600", "[::1]:4600", "localhost:0") in its parts. kFailedPrecondition, with what to do, where
// it is not on loopback and there is no TLS.
base::Result<wire::HostPort> check_listen_address(std::string_view address, bool tls);

}  // namespace orchion::control::serving
