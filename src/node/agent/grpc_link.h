#pragma once

#include <map>
#include <string>

#include "node/agent/control_link.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::node::agent {

// A control plane on another machine or in another process.
class GrpcLink final : public ControlLink {
 public:
  // `address` is "127.0.0.1:4601". `metadata` goes with every call: {"authorization", "Bearer …"}.
  GrpcLink(base::Executor executor, const std::string& address, std::multimap<std::string, std::string> metadata);

  base::Co<std::unique_ptr<SessionStream>> open_session() override;
  base::Co<std::unique_ptr<DataStream>> open_stream() override;

  // By a StreamFailure: finish() with an error only cancels the call.
  base::Co<> refuse(std::shared_ptr<DataStream> stream, base::Error error) override;

 private:
  wire::grpc::GrpcClient client_;
  std::multimap<std::string, std::string> metadata_;
};

}  // namespace orchion::node::agent
