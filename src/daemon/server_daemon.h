#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "daemon/ingress_options.h"
#include "daemon/store_options.h"

namespace orchion::daemon {

struct ServerOptions {
  std::filesystem::path data;
  std::string http = "127.0.0.1:4600";
  std::string grpc = "127.0.0.1:4601";
  std::string advertise;  // HOST or HOST:PORT that other machines reach; empty: as `nodes` says
  std::string nodes;      // ADDRESS:PORT to listen on for them; empty: as `advertise` says, and nowhere without it
  std::uint16_t mesh_port = 0;  // UDP, of WireGuard to other machines that have it too; 0: unencrypted
  StoreOptions store;
  std::string name;  // among the servers of a shared store; empty: the machine's
  bool agent = true;
  std::string executor;                   // what runs tasks that ask for nothing: "docker"; empty: see ExecutorParts
  std::optional<IngressOptions> ingress;  // unset: this machine takes no HTTP for services
  std::chrono::seconds heartbeat{5};
  std::chrono::seconds node_lost_after{30};
  bool rebalance = false;  // tasks move by themselves to a node that has come
};

// Runs the control plane, and the agent of this machine, until SIGTERM or SIGINT. `ready` is called once, when it
// serves and its agent is connected. What runs in containers runs on afterwards. Blocks; one at a time in a process.
base::Result<> run_server(const ServerOptions& options, const std::function<void()>& ready);

}  // namespace orchion::daemon
