#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/agent/control_link.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::node::agent {

// A control plane on another machine or in another process.
class GrpcLink final : public ControlLink {
 public:
  // `servers` are as "127.0.0.1:4601", at least one. `metadata` goes with every call: {"authorization", "Bearer …"}.
  // `tls`: how node and server know each other; none: loopback only. `learned` is told where the servers are by now,
  // when that changes.
  using Servers = std::vector<std::string>;
  GrpcLink(base::Executor executor, Servers servers, std::multimap<std::string, std::string> metadata,
           std::optional<wire::grpc::ClientTls> tls = std::nullopt, std::function<void(const Servers&)> learned = {});

  // Streams that are opened from now on use this; those that are open stay as they are.
  void use(wire::grpc::ClientTls tls);

  // With the next server each time, since the session before has ended.
  base::Co<std::unique_ptr<SessionStream>> open_session() override;
  base::Co<std::unique_ptr<DataStream>> open_stream() override;

  void learn_servers(Servers servers) override;

  // By a StreamFailure: finish() with an error only cancels the call.
  base::Co<> refuse(std::shared_ptr<DataStream> stream, base::Error error) override;

 private:
  void connect();

  base::Executor executor_;
  Servers servers_;
  std::size_t current_ = 0;
  bool first_ = true;
  std::optional<wire::grpc::ClientTls> tls_;
  std::function<void(const Servers&)> learned_;
  std::shared_ptr<wire::grpc::GrpcClient> client_;  // to the current server; its streams hold it too
  std::multimap<std::string, std::string> metadata_;
};

}  // namespace orchion::node::agent
