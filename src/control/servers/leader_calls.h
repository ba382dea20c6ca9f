#pragma once

// Calls that only the server that leads can answer, made on any.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/notifier.h"
#include "core/methods.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::control::servers {

struct LeaderCallsOptions {
  std::optional<wire::grpc::ClientTls> tls;  // how this server is known to the others; unset: loopback alone
  // Returns when this server has seen all that was written so far: who called through it finds what it did.
  std::function<base::Co<>()> caught_up;
  // How long a call waits for somebody to lead.
  base::Duration patience = std::chrono::seconds(10);
};

// One executor, the control loop, on which handlers run. Outlives the handlers that it wraps.
class LeaderCalls {
 public:
  // `clock` outlives it. In the beginning nobody leads.
  LeaderCalls(base::Executor executor, base::Clock& clock, LeaderCallsOptions options);
  ~LeaderCalls();

  // What is known of who leads. Calls that another is answering end with kUnavailable when it changes.
  void lead_here();
  // "HOST:PORT"; empty: it can't be reached. Whether that is news.
  bool lead_to(const std::string& address);
  void nobody_leads();

  // From now on calls of `name` go to who leads: to the handler that is there where that is this server. One that was
  // led on already is never led on again.
  void wrap(core::MethodTable& table, std::string_view name);

 private:
  struct Leader {
    std::string address;  // empty: this server, or nobody can reach it
    bool here = false;
    std::shared_ptr<wire::grpc::GrpcClient> client;  // null: here, or not reached
  };

  void change(std::optional<Leader> leader);
  base::Co<> answer(const google::protobuf::MethodDescriptor* method, core::MessagePtr (*new_response)(),
                    core::Handler local, core::CallContext context, std::shared_ptr<core::MessageStream> stream);
  base::Co<> wait_for_leader();
  base::Co<> lead_on(const google::protobuf::MethodDescriptor* method, core::MessagePtr (*new_response)(),
                     core::CallContext context, std::shared_ptr<core::MessageStream> stream);
  base::Co<> watch_leader();

  base::Executor executor_;
  base::Clock& clock_;
  LeaderCallsOptions options_;
  std::optional<Leader> leader_;  // unset: nobody leads
  base::Notifier changed_;
};

}  // namespace orchion::control::servers
