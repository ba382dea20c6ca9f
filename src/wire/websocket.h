#pragma once

// WebSockets over an open socket, both sides. Private to this folder.

#include "base/clock.h"
#include "wire/http.h"
#include "wire/socket_io.h"

namespace orchion::wire {

// Answers a request that wants an upgrade. `limit` bounds the handshake and the peer's silence (it is pinged).
base::Co<std::unique_ptr<WebSocket>> accept_websocket(Socket socket, Request request, base::Duration limit);

// Asks the server at the other end of `socket` for one.
base::Co<std::unique_ptr<WebSocket>> open_websocket(Socket socket, std::string host, std::string target,
                                                    Headers headers, base::Duration limit);

}  // namespace orchion::wire
