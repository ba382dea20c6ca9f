#include "daemon/server_daemon.h"

#include <atomic>
#include <csignal>

#include <fmt/core.h>
#include <unistd.h>

#include "base/code_pages.h"
#include "base/log.h"
#include "base/task_group.h"
#include "control/auth/node_authenticator.h"
#include "control/auth/route_authority.h"
#include "control/auth/token_authenticator.h"
#include "control/controllers/controller_set.h"
#include "control/notify/channel_controller.h"
#include "control/notify/curl_outbound.h"
#include "control/services/channel_service.h"
#include "control/services/handlers.h"
#include "control/services/join_service.h"
#include "control/services/route_service.h"
#include "control/services/run_inputs.h"
#include "control/serving/health.h"
#include "control/serving/http_guard.h"
#include "control/serving/reflection.h"
#include "control/serving/serving.h"
#include "control/store/sqlite/sqlite_store.h"
#include "daemon/background.h"
#include "daemon/folders.h"
#include "daemon/limits.h"
#include "daemon/local_link.h"
#include "daemon/loop_thread.h"
#include "daemon/node_door.h"
#include "daemon/node_parts.h"
#include "daemon/rootless.h"
#include "daemon/underlay.h"
#include "daemon/version.h"

namespace orchion::daemon {

namespace {

constexpr auto kShutdownGrace = std::chrono::seconds(2);

// One may be taken while others are given.
constexpr int kInputThreads = 2;

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

// Everything that lives on the control loop. Built there, taken down there.
class ControlPlane {
 public:
  // `store_broke`, on any thread: nothing can be written until the process begins anew.
  ControlPlane(base::Executor executor, const ServerOptions& options, std::string cluster, NodeDoor door,
               std::function<void()> store_broke)
      : executor_(executor),
        options_(options),
        store_broke_(std::move(store_broke)),
        cluster_(std::move(cluster)),
        door_(std::move(door)),
        calls_(executor),
        health_(executor) {}

  base::Co<> start(v1::ServerInfo info) {
    const Folders folders{options_.data};
    CO_ASSIGN_OR_RETURN(store_,
                        control::store::SqliteStore::open(executor_, folders.database(), {.broke = store_broke_}));
    objects_ = std::make_unique<control::store::ObjectStore>(executor_, *store_);
    CO_RETURN_IF_ERROR(co_await objects_->start());
    tokens_ = std::make_unique<control::auth::TokenAuthenticator>(*objects_, clock_, options_.data);
    check_ = std::make_unique<IdentityCheck>(*tokens_, *objects_, cluster_);
    CO_ASSIGN_OR_RETURN(authority_, control::auth::CertificateAuthority::open(options_.data, cluster_, clock_.wall()));
    CO_ASSIGN_OR_RETURN(route_authority_, control::auth::RouteAuthority::open(options_.data, cluster_, clock_.wall()));
    CO_ASSIGN_OR_RETURN(const auto token_file, co_await tokens_->ensure_admin_token());
    base::log::info("the administrator's token is in {}", token_file.string());
    liveness_ = std::make_unique<control::controllers::NodeLiveness>(clock_.now());
    streams_ = std::make_unique<control::services::NodeStreams>(executor_, clock_, random_);
    const control::services::ServiceContext context{executor_, *objects_, clock_, random_};
    const auto inputs = std::make_shared<control::inputs::InputFolder>(folders.inputs(), input_workers_);
    dispatcher_ = std::make_unique<control::services::Dispatcher>(context, *streams_, dispatcher_options());
    control::services::add_handlers(methods_, context, *dispatcher_, *streams_, inputs, std::move(info));
    control::services::add_agent_handlers(node_methods_, context, *dispatcher_, *streams_, inputs);
    control::services::add_join_service(
        methods_, node_methods_,
        std::make_shared<control::services::JoinService>(
            context, *authority_,
            control::services::JoinOptions{.cluster_id = cluster_, .address = door_.address, .advice = door_.advice}));
    control::services::add_route_service(
        methods_, context, {.authority = route_authority_->certificate(), .certificate_for = certificate_for()});
    control::services::add_channel_service(
        methods_, std::make_shared<control::services::ChannelService>(
                      context, [this](v1::Channel channel) { return channels_->send_test(std::move(channel)); }));
    health_.add_to(methods_);
    control::serving::add_reflection(methods_);
    calls_.spawn("the writer of reports", dispatcher_->run());
    calls_.spawn("the renewal of certificates", dispatcher_->renew_certificates());
    calls_.spawn("the sweeper of inputs", control::services::sweep_inputs(context, inputs));
    control::controllers::ControllerOptions controllers;
    controllers.node_lost_after = options_.node_lost_after;
    controllers.cluster_id = cluster_;
    controllers_ = std::make_unique<control::controllers::ControllerSet>(
        executor_, *objects_, clock_, base::Random::from_system(), *liveness_, controllers);
    controllers_->start();
    channels_ = std::make_unique<control::notify::ChannelController>(executor_, *objects_, clock_,
                                                                     base::Random::from_system(), outbound_);
    CO_RETURN_IF_ERROR(co_await channels_->start());
    co_return base::Result<>{};
  }

  // This machine's agent, on the same loop.
  base::Co<> start_agent() {
    const Folders folders{options_.data};
    CO_ASSIGN_OR_RETURN(parts_, NodeParts::open(executor_, clock_, folders, short_id(cluster_), options_.executor,
                                                options_.mesh_port, options_.ingress));
    CO_ASSIGN_OR_RETURN(const auto key_lifetime, read_mesh_key_lifetime());
    link_ = std::make_unique<LocalLink>(methods_, calls_);
    auto agent = agent_options(folders, host_name());
    agent.mesh_key_lifetime = key_lifetime;
    // Networks of a user namespace are not reached from other machines.
    agent.address = [address = is_rootless() ? std::string() : door_.underlay] { return address; };
    agent_ = std::make_unique<node::agent::Agent>(executor_, std::move(agent), parts_->for_agent(*link_, clock_),
                                                  random_.next());
    parts_->serve(*agent_);
    CO_RETURN_IF_ERROR(co_await agent_->start());
    calls_.spawn("the agent", agent_->run());
    calls_.spawn("the collector of images", parts_->collect_images(clock_));
    calls_.spawn("the containers' way out", parts_->keep_uplink());
    calls_.spawn("the mesh", parts_->keep_tunnels(clock_));
    co_return co_await wait_for_session(agent_.get(), &clock_, "the agent of this machine is not connected yet");
  }

  // The agent first: what it leaves running, it leaves in order.
  base::Co<> shut_down() {
    health_.stop();
    if (agent_) CO_RETURN_IF_ERROR(co_await agent_->shutdown(node::agent::Agent::Goodbye::kSilent));
    if (channels_) CO_RETURN_IF_ERROR(co_await channels_->shutdown());
    if (controllers_) CO_RETURN_IF_ERROR(co_await controllers_->shutdown());
    CO_RETURN_IF_ERROR(co_await calls_.shutdown());
    if (objects_) CO_RETURN_IF_ERROR(co_await objects_->shutdown());
    agent_.reset();
    link_.reset();
    parts_.reset();
    channels_.reset();
    controllers_.reset();
    dispatcher_.reset();
    streams_.reset();
    objects_.reset();
    store_.reset();
    co_return base::Result<>{};
  }

  const core::MethodTable& methods() const { return methods_; }
  const core::MethodTable& node_methods() const { return node_methods_; }
  control::serving::Authenticator& check() { return *check_; }

  // What nodes meet at the door.
  base::Result<wire::grpc::ServerTls> node_tls() const {
    ASSIGN_OR_RETURN(auto identity, authority_->make_server_identity(clock_.wall()));
    return wire::grpc::ServerTls{std::move(identity.chain), std::move(identity.key), authority_->certificate()};
  }
  // Where the store stands; empty once it is closed.
  std::string bookmark() const { return objects_ ? objects_->bookmark().text() : ""; }

 private:
  control::services::DispatcherOptions dispatcher_options() {
    return {.cluster_id = cluster_,
            .heartbeat_seconds = static_cast<std::uint32_t>(options_.heartbeat.count()),
            .lease_seconds = static_cast<std::uint32_t>(options_.node_lost_after.count()),
            .heard = [this](const std::string& uid) { liveness_->heard(uid, clock_.now()); },
            .left = [this](const std::string& uid) { liveness_->left(uid); },
            .certificate_for = certificate_for()};
  }

  control::services::CertificateFor certificate_for() {
    return [this](const std::vector<std::string>& hosts) {
      return route_authority_->certificate_for(hosts, clock_.wall());
    };
  }

  base::Executor executor_;
  const ServerOptions& options_;
  std::function<void()> store_broke_;
  std::string cluster_;
  NodeDoor door_;
  base::SystemClock clock_;
  base::Random random_ = base::Random::from_system();
  base::WorkerPool input_workers_{kInputThreads};
  base::TaskGroup calls_;
  core::MethodTable methods_;
  core::MethodTable node_methods_;  // what other machines may call
  control::serving::Health health_;
  std::unique_ptr<control::store::SqliteStore> store_;
  std::unique_ptr<control::store::ObjectStore> objects_;
  std::unique_ptr<control::auth::TokenAuthenticator> tokens_;
  std::unique_ptr<IdentityCheck> check_;
  std::optional<control::auth::CertificateAuthority> authority_;
  std::optional<control::auth::RouteAuthority> route_authority_;
  std::unique_ptr<control::controllers::NodeLiveness> liveness_;
  std::unique_ptr<control::services::NodeStreams> streams_;
  std::unique_ptr<control::services::Dispatcher> dispatcher_;
  std::unique_ptr<control::controllers::ControllerSet> controllers_;
  control::notify::CurlOutbound outbound_;
  std::unique_ptr<control::notify::ChannelController> channels_;
  std::unique_ptr<NodeParts> parts_;
  std::unique_ptr<LocalLink> link_;
  std::unique_ptr<node::agent::Agent> agent_;
};

v1::ServerInfo server_info(const ServerOptions& options, const std::string& cluster) {
  v1::ServerInfo info;
  info.set_version(kVersion);
  info.set_cluster_id(cluster);
  info.set_data_folder(options.data.string());
  info.set_http_address(options.http);
  info.set_grpc_address(options.grpc);
  info.set_pid(::getpid());
  return info;
}

// Serves until a signal comes.
base::Result<> serve(ControlPlane& plane, LoopThread& control, const ServerOptions& options, const NodeDoor& door,
                     EndSignals& signals, const std::function<void()>& ready) {
  LoopThread http;
  std::atomic<bool> is_ready = false;
  control::serving::ServingOptions serving_options;
  serving_options.rest.version = kVersion;
  serving_options.rest.ready = [&is_ready]() -> base::Result<> {
    if (is_ready) return {};
    return base::fail(base::Code::kUnavailable, "the server is starting");
  };
  serving_options.bookmark = [&plane] { return plane.bookmark(); };
  control::serving::Serving serving(control.executor(), http.executor(), plane.methods(), plane.check(),
                                    serving_options);
  auto listen = [](control::serving::Serving* doors, std::string http_address, std::string socket) -> base::Co<> {
    CO_RETURN_IF_ERROR(doors->listen_http(http_address));
    co_return doors->listen_unix(socket);
  };
  auto begin = [&]() -> base::Result<> {
    RETURN_IF_ERROR(http.run(listen(&serving, options.http, Folders{options.data}.socket().string())));
    RETURN_IF_ERROR(serving.listen_grpc(options.grpc));
    if (!door.listen.empty()) {
      ASSIGN_OR_RETURN(auto tls, plane.node_tls());
      RETURN_IF_ERROR(serving.listen_nodes(door.listen, plane.node_methods(), std::move(tls)));
      base::log::info("other machines join and connect at {}", door.address.empty() ? door.listen : door.address);
    }
    if (options.agent) RETURN_IF_ERROR(control.run(plane.start_agent()));
    return {};
  };
  auto begun = begin();
  if (begun) {
    is_ready = true;
    base::log::info("serving on http://{} and grpc://{}, data in {}", options.http, options.grpc,
                    options.data.string());
    ready();
    base::release_code_pages();
    signals.wait();
    base::log::info("ending; what runs in containers runs on");
  }
  serving.shutdown(std::chrono::duration_cast<std::chrono::milliseconds>(kShutdownGrace));
  return begun;
}

}  // namespace

base::Result<> run_server(const ServerOptions& options, const std::function<void()>& ready) {
  EndSignals signals;
  // Before anything is made: what can't work here shall leave nothing behind.
  if (options.agent) RETURN_IF_ERROR(check_machine());
  for (const auto& address : {options.http, options.grpc})
    RETURN_IF_ERROR(control::serving::check_listen_address(address, false));
  if (options.agent && ::geteuid() != 0) RETURN_IF_ERROR(enter_user_namespace(options.data));
  ASSIGN_OR_RETURN(const auto door, plan_node_door(options.advertise, options.nodes, default_address()));
  if (options.mesh_port != 0 && door.underlay.empty())
    return base::fail(
        base::Code::kInvalidArgument,
        "--mesh is for what goes to other machines: say with --advertise at which IPv4 address they reach "
        "this one");
  RETURN_IF_ERROR(prepare_data_folder(options.data));
  ASSIGN_OR_RETURN(const auto lock, lock_data_folder(Folders{options.data}, "a server"));
  ASSIGN_OR_RETURN(const auto cluster, cluster_id(options.data));

  LoopThread control;
  std::atomic<bool> broke = false;
  ControlPlane plane(control.executor(), options, cluster, door, [&] {
    broke = true;
    ::kill(::getpid(), SIGTERM);
  });
  auto result = control.run(plane.start(server_info(options, cluster)));
  if (result) result = serve(plane, control, options, door, signals, ready);
  auto down = control.run(plane.shut_down());
  if (down && is_rootless()) down = release_if_unused(options.data);
  // A start that failed isn't tried again: the disk is gone for good, or full of faults.
  if (!result || !broke) return result ? down : result;
  if (is_rootless())  // a second start wouldn't find the way out of the namespace that this one entered
    return base::fail(base::Code::kUnavailable, "the store can't be written any more: start the server again");
  base::log::info("beginning anew");
  return std::unexpected(begin_anew());
}

}  // namespace orchion::daemon
