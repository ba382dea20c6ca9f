#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/stream.h"
#include "wire/grpc/grpc_server.h"

namespace orchion::wire::grpc {

// How a client and a server know each other.
struct ClientTls {
  std::string authority;    // PEM: vouches for the server
  std::string server_name;  // what the server's certificate must say, whatever its address is
  std::string certificate;  // PEM; empty: the client stays unknown
  std::string key;          // PEM
};

// A channel to one server; calls are opened by method name. Reconnects by itself; a call in flight when the
// connection breaks ends with kUnavailable.
class GrpcClient {
 public:
  // `address` is "127.0.0.1:4601" or "unix:///run/x.sock". Without TLS: loopback and such sockets only.
  GrpcClient(base::Executor executor, const std::string& address, const std::optional<ClientTls>& tls = std::nullopt);

  // On a connection that somebody else has made, which it owns from now on and never makes anew: without TLS.
  GrpcClient(base::Executor executor, base::UniqueFd connected);

  // Cancels its calls and waits, shortly, until gRPC has let go of them: nothing reaches the executor afterwards.
  ~GrpcClient();

  // Any kind of rpc as a two-way stream. receive() yields nullopt where the call ended with OK, the status as
  // an error otherwise. The connection is made on first use, or kUnavailable by receive(). Destroying the stream
  // cancels the call. Past `limit` it ends with kDeadlineExceeded.
  std::unique_ptr<ByteStream> call(const std::string& method, std::multimap<std::string, std::string> metadata,
                                   std::optional<base::Duration> limit = std::nullopt);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::wire::grpc
