#pragma once

// The joining machine's side.

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/co.h"
#include "daemon/membership.h"

namespace orchion::daemon {

struct JoinOptions {
  std::filesystem::path data;
  std::string server;    // "HOST:PORT"
  std::string token;     // of the invitation
  std::string hostname;  // empty: the machine's
  std::map<std::string, std::string> labels;
  std::string advertise;        // where other nodes reach this one; empty: by the way to the server
  std::uint16_t mesh_port = 0;  // as AgentOptions
};

struct JoinedNode {
  std::string name;
  std::string cluster_id;
};

// Makes this machine a node: afterwards run_agent() needs to be told nothing. Nothing is trusted but the token. Blocks
// for some seconds at most. Said again after a failure it goes on where it stopped. kAlreadyExists: it is a node.
base::Result<JoinedNode> join_cluster(const JoinOptions& options);

// A new certificate for the key of `membership`, as PEM.
base::Co<std::string> renew_certificate(base::Executor executor, Membership membership);

// Renews at half of each certificate's life, until cancelled; `renewed` is told of each new one.
base::Co<> keep_certificate(base::Executor executor, base::Clock& clock, std::filesystem::path folder,
                            std::function<void(const Membership&)> renewed);

}  // namespace orchion::daemon
