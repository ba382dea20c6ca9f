#pragma once

#include <memory>
#include <string>

#include "wire/http_client.h"

namespace orchion::wire::tls {

// TLS on a connection, as its client, whoever the server is: for asking whether it answers, never for secrets.
// `server_name` is asked for (SNI) where it is a name and not empty. Returns when the handshake is done. kDataLoss:
// what answers doesn't speak TLS; kUnavailable: the connection broke. Time is the caller's. One executor.
base::Co<std::shared_ptr<RawStream>> open_unverified(std::shared_ptr<RawStream> connection, std::string server_name);

}  // namespace orchion::wire::tls
