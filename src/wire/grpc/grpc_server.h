#pragma once

// gRPC without generated stubs: any method by its name, messages as bytes, on an Asio executor.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/stream.h"

namespace orchion::wire::grpc {

// Both directions carry serialised messages.
using ByteStream = base::Stream<std::string, std::string>;

struct Call {
  std::string method;                                // "/orchion.v1.StackService/GetStack"
  std::multimap<std::string, std::string> metadata;  // names in lower case
  std::string peer;
  std::string peer_certificate;  // PEM, vouched for by the authority; empty: the client presented none
};

// Serves one call to its end; what it returns is the call's status. Cancelled when the client goes away.
using CallHandler = std::function<base::Co<>(Call, std::shared_ptr<ByteStream>)>;

// A client's certificate is asked for, and refused with the connection where `client_authority` doesn't vouch for it;
// who presents none is let in.
struct ServerTls {
  std::string chain;  // PEM: the server's certificate first
  std::string key;    // PEM
  std::string client_authority;
};

struct GrpcServerOptions {
  std::size_t message_bytes_max = 4u << 20;
  std::optional<ServerTls> tls;
};

// gRPC's threads only move bytes; `handler` and its streams run on `executor`.
class GrpcServer {
 public:
  GrpcServer(base::Executor executor, CallHandler handler, GrpcServerOptions options = {});
  ~GrpcServer();  // as shutdown(0)

  // `address` is "127.0.0.1:4601"; port 0 chooses one. Returns the port.
  base::Result<std::uint16_t> listen(const std::string& address);

  // Stops accepting, gives running calls `grace`, then cancels them. Blocks until the last handler has ended, so
  // `executor` must still run, and this must not be its thread.
  void shutdown(std::chrono::milliseconds grace);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::wire::grpc
