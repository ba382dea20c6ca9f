#pragma once

// All doors of the control plane.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "control/serving/authenticator.h"
#include "control/serving/control_call.h"
#include "control/serving/rest_front.h"
#include "core/methods.h"
#include "wire/grpc/grpc_server.h"

namespace orchion::control::serving {

struct ServingOptions {
  RestOptions rest;
  // Where the store that the handlers read stands, as lists say it; on the control executor.
  std::function<std::string()> bookmark;
  bool tls = false;  // somebody in front of this ends TLS, so other addresses than loopback are allowed
};

// REST on the HTTP executor (a thread of its own, where JSON is read and written), gRPC on gRPC's threads; every
// handler runs on the control executor. The method table must be complete and, like the authenticator, outlive this.
class Serving {
 public:
  Serving(base::Executor control, base::Executor http, const core::MethodTable& methods, Authenticator& authenticator,
          ServingOptions options);
  ~Serving();  // after shutdown(), or where nothing was listened on

  // Before the HTTP executor runs, or on it. Addresses are "127.0.0.1:4600"; port 0 chooses one; the port is
  // returned. kFailedPrecondition: the port is taken, or the address is not loopback and there is no TLS.
  base::Result<std::uint16_t> listen_http(const std::string& address);
  base::Result<> listen_unix(const std::string& path);

  // Anywhere.
  base::Result<std::uint16_t> listen_grpc(const std::string& address);

  // For other machines, by mutual TLS: these methods alone, and callers are known by their certificates. `methods`
  // outlives this. Once; anywhere.
  base::Result<std::uint16_t> listen_nodes(const std::string& address, const core::MethodTable& methods,
                                           wire::grpc::ServerTls tls);

  // Refuses new calls, gives running ones `grace`, cancels the rest, and returns when the last handler has ended.
  // Blocks: on a thread that runs neither executor, while both still run.
  void shutdown(std::chrono::milliseconds grace);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace orchion::control::serving
