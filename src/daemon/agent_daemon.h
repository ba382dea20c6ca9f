#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "daemon/ingress_options.h"

namespace orchion::daemon {

struct AgentOptions {
  std::filesystem::path data;
  std::string server;    // "127.0.0.1:4601": loopback only, without TLS; empty: of the cluster that this machine joined
  std::string token;     // for that; a node that joined has its certificate
  std::string hostname;  // empty: as said at joining, or the machine's
  std::map<std::string, std::string> labels;  // empty: as said at joining
  std::string executor;   // what runs tasks that ask for nothing: "docker"; empty: see ExecutorParts
  std::string advertise;  // where other nodes reach this one; empty: as said at joining, or by the way to the server
  std::uint16_t mesh_port =
      0;  // UDP, of WireGuard to other nodes that have it too; 0: as said at joining, or unencrypted
  std::optional<IngressOptions> ingress;  // unset: this machine takes no HTTP for services
};

// Runs the agent of this machine for a control plane elsewhere, until SIGTERM or SIGINT. `ready` is called once, when
// it is connected or has tried for some seconds. Blocks. kNotFound: no server is named and no cluster was joined.
base::Result<> run_agent(const AgentOptions& options, const std::function<void()>& ready);

}  // namespace orchion::daemon
