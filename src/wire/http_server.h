#pragma once

#include <cstdint>

#include "base/clock.h"
#include "wire/http.h"

namespace orchion::wire {

struct HttpServerOptions {
  std::size_t header_bytes_max = 64u << 10;
  std::size_t connections_max = 4096;
  base::Duration header_limit = std::chrono::seconds(15);  // from the first byte of a request to its last header
  base::Duration idle_limit = std::chrono::seconds(75);    // between requests
  base::Duration stall_limit = std::chrono::seconds(60);   // one piece of a body, either way
};

// Listens where it is told and runs `handler` for each request. All on one executor.
class HttpServer {
 public:
  HttpServer(base::Executor executor, Handler handler, HttpServerOptions options = {});
  ~HttpServer();  // only after shutdown(), or before the first listen

  // Returns the port it got (port 0 chooses one). kFailedPrecondition where the port is taken, with what to do.
  base::Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port);

  // Mode 0600. A socket file nobody answers on is replaced; a live one is kFailedPrecondition.
  base::Result<> listen_unix(const std::string& path);

  // Stops listening, gives running exchanges `grace`, then cancels them. Removes the socket files.
  base::Co<> shutdown(base::Duration grace);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::wire
