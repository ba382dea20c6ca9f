#pragma once

// What an agent works with on a real Linux machine.

#include <memory>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "daemon/folders.h"
#include "daemon/ingress_options.h"
#include "daemon/node_executors.h"
#include "mesh/dns/dns_server.h"
#include "mesh/dns/records.h"
#include "mesh/ingress/haproxy_ingress.h"
#include "node/agent/agent.h"
#include "node/images/image_store.h"
#include "node/networks/linux_networks.h"
#include "node/networks/tunnels.h"
#include "node/networks/uplink.h"
#include "node/volumes/folder_volumes.h"

namespace orchion::daemon {

// What this machine calls itself.
std::string host_name();

// What every agent is told, beside its labels and address.
node::agent::AgentOptions agent_options(const Folders& folders, std::string hostname);

// Returns once the agent has a session; after ten seconds without one the log says `otherwise`, and the agent goes on
// trying. Both outlive the call.
base::Co<> wait_for_session(const node::agent::Agent* agent, base::Clock* clock, std::string otherwise);

// One executor; destroyed on it, after the agent.
class NodeParts {
 public:
  // `preferred`: as ExecutorParts'. `mesh_port`: UDP; 0: this node isn't in the mesh. kFailedPrecondition: what is
  // missing, or in the way. Blocks for a moment.
  static base::Result<std::unique_ptr<NodeParts>> open(base::Executor executor, base::Clock& clock,
                                                       const Folders& folders, const std::string& short_id,
                                                       const std::string& preferred, std::uint16_t mesh_port,
                                                       const std::optional<IngressOptions>& ingress);
  ~NodeParts();

  node::agent::AgentParts for_agent(node::agent::ControlLink& link, base::Clock& clock);

  // Its networks are for the containers of engines too, until it ends.
  void serve(node::agent::Agent& agent);

  // Removes images that are no longer needed, until it is cancelled. `clock` outlives it.
  base::Co<> collect_images(base::Clock& clock);

  // Without root: keeps the containers' way out of their networks, until it is cancelled.
  base::Co<> keep_uplink();

  // In the mesh: keeps its tunnels, until it is cancelled. `clock` outlives it.
  base::Co<> keep_tunnels(base::Clock& clock);

 private:
  class GatewayResolver;
  explicit NodeParts(Folders folders);
  base::Result<> open_ingress(const std::filesystem::path& run, const std::optional<IngressOptions>& options);

  Folders folders_;
  base::WorkerPool workers_;
  base::WorkerPool image_workers_;  // a pull takes minutes: no start or stop waits behind it
  std::unique_ptr<node::images::ImageStore> images_;
  std::unique_ptr<NodeExecutors> executors_;
  node::images::CollectionLimits image_limits_;
  std::unique_ptr<node::devices::gpus::Gpus> gpus_;
  std::shared_ptr<node::networks::Uplink> uplink_;    // without root
  std::shared_ptr<node::networks::Tunnels> tunnels_;  // in the mesh
  std::unique_ptr<node::networks::LinuxNetworks> networks_;
  std::unique_ptr<node::volumes::FolderVolumes> volumes_;
  std::unique_ptr<node::logs::LogKeeper> log_keeper_;
  mesh::dns::RecordTable records_;
  std::unique_ptr<mesh::dns::DnsServer> dns_;
  std::unique_ptr<GatewayResolver> resolver_;
  std::unique_ptr<mesh::ingress::HaproxyIngress> ingress_;  // where it was asked for
  node::agent::Agent* agent_ = nullptr;                     // once there is one
};

}  // namespace orchion::daemon
