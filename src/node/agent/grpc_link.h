#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "node/agent/control_link.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::node::agent {

// A control plane on another machine or in another process.
class GrpcLink final : public ControlLink {
 public:
  // `address` is "127.0.0.1:4601". `metadata` goes with every call: {"authorization", "Bearer …"}.
  // `tls`: how node and server know each other; none: loopback only.
  GrpcLink(base::Executor executor, std::string address, std::multimap<std::string, std::string> metadata,
           std::optional<wire::grpc::ClientTls> tls = std::nullopt);

  // Streams that are opened from now on use this; those that are open stay as they are.
  void use(wire::grpc::ClientTls tls);

  base::Co<std::unique_ptr<SessionStream>> open_session() override;
  base::Co<std::unique_ptr<DataStream>> open_stream() override;

  // By a StreamFailure: finish() with an error only cancels the call.
  base::Co<> refuse(std::shared_ptr<DataStream> stream, base::Error error) override;

 private:
  base::Executor executor_;
  std::string address_;
  std::shared_ptr<wire::grpc::GrpcClient> client_;  // its streams hold it too
  std::multimap<std::string, std::string> metadata_;
};

}  // namespace orchion::node::agent
