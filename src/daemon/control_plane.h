#pragma once

// The control plane's parts, put together, and this machine's agent beside them.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/task_group.h"
#include "base/worker_pool.h"
#include "control/auth/certificate_authority.h"
#include "control/auth/node_authenticator.h"
#include "control/auth/route_authority.h"
#include "control/auth/token_authenticator.h"
#include "control/controllers/controller_set.h"
#include "control/inputs/input_folder.h"
#include "control/notify/channel_controller.h"
#include "control/notify/curl_outbound.h"
#include "control/servers/leader_calls.h"
#include "control/services/dispatcher.h"
#include "control/serving/authenticator.h"
#include "control/serving/health.h"
#include "control/store/etcd/etcd_election.h"
#include "control/store/etcd/etcd_store.h"
#include "daemon/local_link.h"
#include "daemon/node_door.h"
#include "daemon/node_parts.h"
#include "daemon/server_daemon.h"
#include "daemon/shared_store.h"
#include "node/agent/agent.h"
#include "v1/control.pb.h"
#include "wire/grpc/grpc_server.h"

namespace orchion::daemon {

// What serving asks, answered by the tokens and the certificates.
class IdentityCheck final : public control::serving::Authenticator {
 public:
  IdentityCheck(const control::auth::TokenAuthenticator& tokens, const control::store::ObjectStore& objects,
                const std::string& cluster)
      : tokens_(tokens), nodes_(objects, cluster) {}

  base::Result<std::string> authenticate(std::string_view bearer) override {
    return remember(tokens_.authenticate(bearer));
  }
  base::Result<std::string> authenticate_certificate(std::string_view certificate) override {
    return remember(nodes_.authenticate(certificate));
  }
  bool speaks_for_callers(const std::string& identity) override { return control::auth::is_server(identity); }
  base::Result<> allowed(const std::string& identity, const std::string& permission) override {
    const auto known = identities_.find(identity);
    return control::auth::allowed(known == identities_.end() ? control::auth::Identity() : known->second, permission);
  }

 private:
  base::Result<std::string> remember(base::Result<control::auth::Identity> identity) {
    if (!identity) return std::unexpected(std::move(identity).error());
    identities_[identity->name] = *identity;
    return identity->name;
  }

  const control::auth::TokenAuthenticator& tokens_;
  const control::auth::NodeAuthenticator nodes_;
  std::map<std::string, control::auth::Identity> identities_;
};

// Everything that lives on the control loop. Built there, taken down there. One server leads: it plans, and has the
// nodes' sessions. On SQLite that is this one; on a store that several share they choose it, and the others answer what
// they can from the store and lead the rest on.
class ControlPlane {
 public:
  // `shared`: where options.store names one. `broke`, on any thread: nothing can be written, or another server leads,
  // until this process begins anew. `options` outlives it.
  ControlPlane(base::Executor executor, const ServerOptions& options, std::string cluster, NodeDoor door,
               std::optional<SharedStore> shared, std::function<void()> broke);

  base::Co<> start();

  // This machine's agent, on the same loop.
  base::Co<> start_agent();

  // The agent first: what it leaves running, it leaves in order.
  base::Co<> shut_down();

  const core::MethodTable& methods() const { return methods_; }
  const core::MethodTable& node_methods() const { return node_methods_; }
  control::serving::Authenticator& check() { return *check_; }

  // What nodes meet at the door.
  base::Result<wire::grpc::ServerTls> node_tls() const;

  // Where the store stands; empty once it is closed.
  std::string bookmark() const { return objects_ ? objects_->bookmark().text() : ""; }

 private:
  control::services::ServiceContext context();
  std::string name() const;  // among the servers
  base::Co<> open_store();
  base::Co<> open_identities();
  void add_methods();
  base::Result<> prepare_to_share();
  base::Co<> keep_place();
  void follow_election();
  base::Co<> lead(control::store::EtcdRevision term);
  base::Co<> begin_to_lead();
  base::Co<> catch_up();
  base::Co<v1::RebalanceResponse> rebalance(v1::RebalanceRequest request, std::string actor);
  v1::ServerInfo info() const;
  std::vector<std::string> server_addresses() const;
  control::services::DispatcherOptions dispatcher_options();
  control::services::CertificateFor certificate_for();

  base::Executor executor_;
  const ServerOptions& options_;
  std::optional<SharedStore> shared_;
  Folders folders_;
  std::function<void()> broke_;
  std::string cluster_;
  NodeDoor door_;
  std::string id_ = {};  // among the servers of a shared store; empty: this is the only one
  base::SystemClock clock_;
  base::Random random_ = base::Random::from_system();
  base::WorkerPool input_workers_;
  base::TaskGroup calls_;
  core::MethodTable methods_;
  core::MethodTable node_methods_;  // what other machines may call
  control::serving::Health health_;
  std::shared_ptr<control::inputs::InputFolder> inputs_;
  std::unique_ptr<control::store::Store> store_;
  control::store::EtcdStore* etcd_ = nullptr;  // the same, where it is shared
  std::unique_ptr<control::store::ObjectStore> objects_;
  std::unique_ptr<control::auth::TokenAuthenticator> tokens_;
  std::unique_ptr<IdentityCheck> check_;
  std::optional<control::auth::CertificateAuthority> authority_;
  std::optional<control::auth::RouteAuthority> route_authority_;
  std::unique_ptr<control::controllers::NodeLiveness> liveness_;
  std::unique_ptr<control::services::NodeStreams> streams_;
  std::unique_ptr<control::services::Dispatcher> dispatcher_;
  std::unique_ptr<control::controllers::ControllerSet> controllers_;  // set where this server leads
  control::notify::CurlOutbound outbound_;
  std::unique_ptr<control::notify::ChannelController> channels_;  // likewise
  std::unique_ptr<control::servers::LeaderCalls> leader_calls_;   // set where the store is shared
  std::unique_ptr<control::store::EtcdElection> election_;        // likewise
  bool leads_ = false;
  std::unique_ptr<NodeParts> parts_;
  std::unique_ptr<LocalLink> link_;
  std::unique_ptr<node::agent::Agent> agent_;
};

}  // namespace orchion::daemon
