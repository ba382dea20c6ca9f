#include "daemon/agent_daemon.h"

#include <unistd.h>

#include "base/code_pages.h"
#include "base/log.h"
#include "base/task_group.h"
#include "daemon/folders.h"
#include "daemon/join_client.h"
#include "daemon/limits.h"
#include "daemon/loop_thread.h"
#include "daemon/node_door.h"
#include "daemon/node_parts.h"
#include "daemon/rootless.h"
#include "daemon/underlay.h"
#include "daemon/version.h"
#include "node/agent/grpc_link.h"

namespace orchion::daemon {

namespace {

// Everything that lives on the agent's loop. Built and taken down there.
class AgentDaemon {
 public:
  AgentDaemon(base::Executor executor, const AgentOptions& options)
      : executor_(executor), options_(options), folders_{options.data}, group_(executor) {}

  base::Co<> start(std::string short_id) {
    CO_RETURN_IF_ERROR(options_.server.empty() ? connect_as_node() : connect_locally());
    CO_ASSIGN_OR_RETURN(parts_, NodeParts::open(executor_, clock_, folders_, short_id, options_.executor, mesh_port_,
                                                options_.ingress));
    CO_ASSIGN_OR_RETURN(const auto key_lifetime, read_mesh_key_lifetime());
    auto agent = agent_options(folders_, hostname_.empty() ? host_name() : hostname_);
    agent.labels = labels_;
    agent.mesh_key_lifetime = key_lifetime;
    agent.address = [address = address_, server = server_host_] {
      // Networks of a user namespace are not reached from other machines.
      if (is_rootless()) return std::string();
      return address.empty() ? address_towards(server).value_or("") : address;
    };
    agent_ = std::make_unique<node::agent::Agent>(executor_, std::move(agent), parts_->for_agent(*link_, clock_),
                                                  random_.next());
    parts_->serve(*agent_);
    CO_RETURN_IF_ERROR(co_await agent_->start());
    if (options_.server.empty()) {
      auto renewed = [this](const Membership& membership) {
        if (auto tls = as_node(membership)) link_->use(std::move(*tls));
      };
      group_.spawn("the certificate", keep_certificate(executor_, clock_, folders_.agent(), std::move(renewed)));
    }
    group_.spawn("the agent", agent_->run());
    group_.spawn("the collector of images", parts_->collect_images(clock_));
    group_.spawn("the containers' way out", parts_->keep_uplink());
    group_.spawn("the mesh", parts_->keep_tunnels(clock_));
    co_return co_await wait_for_session(agent_.get(), &clock_,
                                        "the server does not answer yet; the agent goes on trying");
  }

  base::Co<> shut_down() {
    if (agent_) CO_RETURN_IF_ERROR(co_await agent_->shutdown(node::agent::Agent::Goodbye::kSilent));
    CO_RETURN_IF_ERROR(co_await group_.shutdown());
    agent_.reset();
    link_.reset();
    parts_.reset();
    co_return base::Result<>{};
  }

 private:
  base::Result<> connect_locally() {
    link_ = std::make_unique<node::agent::GrpcLink>(
        executor_, node::agent::GrpcLink::Servers{options_.server},
        std::multimap<std::string, std::string>{{"authorization", "Bearer " + options_.token}});
    address_ = options_.advertise;
    mesh_port_ = options_.mesh_port;
    hostname_ = options_.hostname;
    labels_ = options_.labels;
    ASSIGN_OR_RETURN(const auto server, parse_node_address(options_.server, kNodePort));
    server_host_ = server.host;
    return {};
  }

  base::Result<> connect_as_node() {
    ASSIGN_OR_RETURN(const auto membership, load_membership(folders_.agent()));
    ASSIGN_OR_RETURN(auto tls, as_node(membership));
    auto learned = [folder = folders_.agent()](const std::vector<std::string>& servers) {
      if (auto saved = save_servers(folder, servers); !saved) base::log::warn("{}", saved.error().message);
    };
    link_ = std::make_unique<node::agent::GrpcLink>(executor_, servers_of(membership),
                                                    std::multimap<std::string, std::string>{}, std::move(tls),
                                                    std::move(learned));
    address_ = options_.advertise.empty() ? membership.address : options_.advertise;
    mesh_port_ = options_.mesh_port == 0 ? membership.mesh_port : options_.mesh_port;
    hostname_ = options_.hostname.empty() ? membership.hostname : options_.hostname;
    labels_ = options_.labels.empty() ? membership.labels : options_.labels;
    ASSIGN_OR_RETURN(const auto server, parse_node_address(membership.server, kNodePort));
    server_host_ = server.host;
    return {};
  }

  base::Executor executor_;
  const AgentOptions& options_;
  Folders folders_;
  base::SystemClock clock_;
  base::Random random_ = base::Random::from_system();
  base::TaskGroup group_;
  std::string address_;
  std::uint16_t mesh_port_ = 0;
  std::string hostname_;
  std::map<std::string, std::string> labels_;
  std::string server_host_;
  std::unique_ptr<NodeParts> parts_;
  std::unique_ptr<node::agent::GrpcLink> link_;
  std::unique_ptr<node::agent::Agent> agent_;
};

}  // namespace

base::Result<> run_agent(const AgentOptions& options, const std::function<void()>& ready) {
  EndSignals signals;
  RETURN_IF_ERROR(check_machine());
  if (::geteuid() != 0) RETURN_IF_ERROR(enter_user_namespace(options.data));
  RETURN_IF_ERROR(prepare_data_folder(options.data));
  const Folders folders{options.data};
  if (options.server.empty()) RETURN_IF_ERROR(load_membership(folders.agent()));
  ASSIGN_OR_RETURN(const auto lock, lock_data_folder(folders, "a server or an agent"));
  ASSIGN_OR_RETURN(const auto id, cluster_id(options.data));

  LoopThread loop;
  AgentDaemon daemon(loop.executor(), options);
  auto result = loop.run(daemon.start(short_id(id)));
  if (result) {
    ready();
    base::release_code_pages();
    signals.wait();
  }
  auto stopped = loop.run(daemon.shut_down());
  if (stopped && is_rootless()) stopped = release_if_unused(options.data);
  return result ? stopped : result;
}

}  // namespace orchion::daemon
