#include "daemon/control_plane.h"

#include <algorithm>

#include <unistd.h>

#include "base/log.h"
#include "control/backup/restore.h"
#include "control/servers/leader_methods.h"
#include "control/services/backup_service.h"
#include "control/services/channel_service.h"
#include "control/services/handlers.h"
#include "control/services/input_copies.h"
#include "control/services/join_service.h"
#include "control/services/node_service.h"
#include "control/services/route_service.h"
#include "control/services/run_inputs.h"
#include "control/services/view_wait.h"
#include "control/serving/reflection.h"
#include "control/store/sqlite/sqlite_store.h"
#include "core/cluster_names.h"
#include "daemon/limits.h"
#include "daemon/rootless.h"
#include "daemon/shared_store.h"
#include "daemon/version.h"

namespace orchion::daemon {

namespace store = control::store;

namespace {

// One may be taken while others are given.
constexpr int kInputThreads = 2;

// How long a call that another server answered waits until this one has seen what it did.
constexpr base::Duration kCatchUpLimit = std::chrono::seconds(5);

// What the lead is in the store: its writing is what a new leader waits for.
constexpr char kLeaderEntry[] = "cluster/leader";

}  // namespace

ControlPlane::ControlPlane(base::Executor executor, const ServerOptions& options, std::string cluster, NodeDoor door,
                           std::optional<SharedStore> shared, std::function<void()> broke)
    : executor_(executor),
      options_(options),
      shared_(std::move(shared)),
      folders_{options.data},
      broke_(std::move(broke)),
      cluster_(std::move(cluster)),
      door_(std::move(door)),
      input_workers_(kInputThreads),
      calls_(executor),
      health_(executor) {}

control::services::ServiceContext ControlPlane::context() {
  return {executor_, *objects_, clock_, random_};
}

std::string ControlPlane::name() const {
  return options_.name.empty() ? host_name() : options_.name;
}

base::Co<> ControlPlane::start() {
  CO_RETURN_IF_ERROR(co_await open_store());
  CO_RETURN_IF_ERROR(co_await open_identities());
  liveness_ = std::make_unique<control::controllers::NodeLiveness>(clock_.now());
  streams_ = std::make_unique<control::services::NodeStreams>(executor_, clock_, random_);
  inputs_ = std::make_shared<control::inputs::InputFolder>(folders_.inputs(), input_workers_);
  dispatcher_ = std::make_unique<control::services::Dispatcher>(context(), *streams_, dispatcher_options());
  add_methods();
  calls_.spawn("the sweeper of inputs", control::services::sweep_inputs(context(), inputs_));
  link_ = std::make_unique<LocalLink>(methods_, calls_);
  if (!etcd_) co_return co_await begin_to_lead();
  CO_RETURN_IF_ERROR(prepare_to_share());
  calls_.spawn("the place among the servers", keep_place());
  calls_.spawn("the copies of inputs",
               control::services::copy_inputs(
                   context(), inputs_, [this] { return link_->open_stream(); }, [this] { return leads_; }));
  co_return base::Result<>{};
}

base::Co<> ControlPlane::open_store() {
  if (shared_) {
    CO_ASSIGN_OR_RETURN(id_, server_id(options_.data));
    auto ended = [this](const base::Error& error) {
      base::log::error("{}", error.message);
      broke_();
    };
    CO_ASSIGN_OR_RETURN(auto opened, co_await open_shared_store(executor_, *shared_, id_, std::move(ended)));
    etcd_ = opened.get();
    store_ = std::move(opened);
  } else {
    CO_ASSIGN_OR_RETURN(store_, store::SqliteStore::open(executor_, folders_.database(), {.broke = broke_}));
  }
  CO_RETURN_IF_ERROR(co_await control::backup::check_restored(*store_));
  objects_ = std::make_unique<store::ObjectStore>(executor_, *store_);
  co_return co_await objects_->start();
}

base::Co<> ControlPlane::open_identities() {
  // Each server's own, since its file is.
  tokens_ = std::make_unique<control::auth::TokenAuthenticator>(*objects_, clock_, options_.data,
                                                                id_.empty() ? "admin" : "admin-" + id_);
  check_ = std::make_unique<IdentityCheck>(*tokens_, *objects_, cluster_);
  CO_ASSIGN_OR_RETURN(authority_, control::auth::CertificateAuthority::open(options_.data, cluster_, clock_.wall()));
  CO_ASSIGN_OR_RETURN(route_authority_, control::auth::RouteAuthority::open(options_.data, cluster_, clock_.wall()));
  CO_ASSIGN_OR_RETURN(const auto token_file, co_await tokens_->ensure_admin_token());
  base::log::info("the administrator's token is in {}", token_file.string());
  co_return base::Result<>{};
}

void ControlPlane::add_methods() {
  control::services::add_handlers(methods_, context(), *dispatcher_, *streams_, inputs_, [this] { return info(); });
  control::services::add_agent_handlers(node_methods_, context(), *dispatcher_, *streams_, inputs_);
  control::services::add_join_service(
      methods_, node_methods_,
      std::make_shared<control::services::JoinService>(
          context(), *authority_,
          control::services::JoinOptions{.cluster_id = cluster_, .address = door_.address, .advice = door_.advice}));
  control::services::add_route_service(
      methods_, context(), {.authority = route_authority_->certificate(), .certificate_for = certificate_for()});
  control::services::add_channel_service(
      methods_, std::make_shared<control::services::ChannelService>(
                    context(), [this](v1::Channel channel) { return channels_->send_test(std::move(channel)); }));
  control::services::add_rebalancing(methods_, [this](v1::RebalanceRequest request, std::string actor) {
    return rebalance(std::move(request), std::move(actor));
  });
  control::services::add_backup_service(methods_, context(), options_.data, kVersion);
  health_.add_to(methods_);
  control::serving::add_reflection(methods_);
}

// Calls that only the leader can answer go there, also those of nodes; what other servers lead on comes to the door for
// nodes.
base::Result<> ControlPlane::prepare_to_share() {
  ASSIGN_OR_RETURN(auto known_by, authority_->make_client_identity(id_, clock_.wall()));
  leader_calls_ = std::make_unique<control::servers::LeaderCalls>(
      executor_, clock_,
      control::servers::LeaderCallsOptions{
          .tls = wire::grpc::ClientTls{authority_->certificate(), core::control_name(core::cluster_domain(cluster_)),
                                       std::move(known_by.chain), std::move(known_by.key)},
          .caught_up = [this] { return catch_up(); }});
  for (const auto name : control::servers::leader_methods()) {
    leader_calls_->wrap(methods_, name);
    node_methods_.share(name, methods_);
  }
  election_ = std::make_unique<store::EtcdElection>(
      executor_,
      store::ElectionOptions{.access = shared_->access,
                             .prefix = shared_->prefix,
                             .id = id_,
                             .name = name(),
                             .address = door_.address.empty() ? door_.listen : door_.address},
      [this] { follow_election(); });
  return {};
}

base::Co<> ControlPlane::keep_place() {
  const auto ended = co_await election_->run();
  const auto code = ended.error().code;
  if (code == base::Code::kUnavailable || code == base::Code::kCancelled) co_return base::Result<>{};
  base::log::error("{}", ended.error().message);
  broke_();
  co_return base::Result<>{};
}

void ControlPlane::follow_election() {
  if (leads_) return;
  if (election_->term()) {
    leads_ = true;
    calls_.spawn("the beginning of the lead", lead(*election_->term()));
  } else if (const auto* leader = election_->leader()) {
    if (leader_calls_->lead_to(leader->address)) base::log::info("the server {} leads", leader->name);
  } else {
    leader_calls_->nobody_leads();
  }
}

// What others wrote before this term is in the view when a write of this term is.
base::Co<> ControlPlane::lead(store::EtcdRevision term) {
  etcd_->fence(term);
  store::Transaction transaction;
  transaction.put(kLeaderEntry, id_);
  auto begun = co_await objects_->commit(std::move(transaction));
  base::Result<> led = begun ? co_await begin_to_lead() : base::Result<>(std::unexpected(begun.error()));
  if (led) {
    leader_calls_->lead_here();
    base::log::info("this server leads");
    co_return base::Result<>{};
  }
  if (led.error().code == base::Code::kCancelled) co_return led;
  base::log::error("this server can't lead: {}", led.error().message);
  broke_();
  co_return base::Result<>{};
}

base::Co<> ControlPlane::begin_to_lead() {
  liveness_->serve_again(clock_.now());
  calls_.spawn("the writer of reports", dispatcher_->run());
  calls_.spawn("the renewal of certificates", dispatcher_->renew_certificates());
  control::controllers::ControllerOptions controllers;
  controllers.node_lost_after = options_.node_lost_after;
  controllers.cluster_id = cluster_;
  controllers.rebalance = options_.rebalance;
  controllers_ = std::make_unique<control::controllers::ControllerSet>(
      executor_, *objects_, clock_, base::Random::from_system(), *liveness_, controllers);
  controllers_->start();
  channels_ = std::make_unique<control::notify::ChannelController>(executor_, *objects_, clock_,
                                                                   base::Random::from_system(), outbound_);
  co_return co_await channels_->start();
}

base::Co<v1::RebalanceResponse> ControlPlane::rebalance(v1::RebalanceRequest request, std::string actor) {
  if (!controllers_)
    co_return base::fail(base::Code::kUnavailable, "this server does not lead yet: try again in a moment");
  co_return co_await controllers_->rebalance(std::move(request), std::move(actor));
}

base::Co<> ControlPlane::catch_up() {
  CO_ASSIGN_OR_RETURN(const auto newest, co_await objects_->list("cluster/"));
  co_return co_await control::services::wait_for_view(
      context(), [this, newest = newest.revision] { return objects_->bookmark().revision >= newest; }, kCatchUpLimit,
      "seeing what the server that leads has written");
}

base::Co<> ControlPlane::start_agent() {
  CO_ASSIGN_OR_RETURN(parts_, NodeParts::open(executor_, clock_, folders_, short_id(cluster_), options_.executor,
                                              options_.mesh_port, options_.ingress));
  CO_ASSIGN_OR_RETURN(const auto key_lifetime, read_mesh_key_lifetime());
  auto agent = agent_options(folders_, host_name());
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

base::Co<> ControlPlane::shut_down() {
  health_.stop();
  if (agent_) CO_RETURN_IF_ERROR(co_await agent_->shutdown(node::agent::Agent::Goodbye::kSilent));
  if (channels_) CO_RETURN_IF_ERROR(co_await channels_->shutdown());
  if (controllers_) CO_RETURN_IF_ERROR(co_await controllers_->shutdown());
  // After the last write as who leads, and before anybody else might wait for the lease.
  if (election_) {
    CO_RETURN_IF_ERROR(co_await election_->release());
    election_->close();
  }
  CO_RETURN_IF_ERROR(co_await calls_.shutdown());
  if (objects_) CO_RETURN_IF_ERROR(co_await objects_->shutdown());
  agent_.reset();
  link_.reset();
  parts_.reset();
  channels_.reset();
  controllers_.reset();
  election_.reset();
  leader_calls_.reset();
  dispatcher_.reset();
  streams_.reset();
  objects_.reset();
  etcd_ = nullptr;
  store_.reset();
  co_return base::Result<>{};
}

base::Result<wire::grpc::ServerTls> ControlPlane::node_tls() const {
  ASSIGN_OR_RETURN(auto identity, authority_->make_server_identity(clock_.wall()));
  return wire::grpc::ServerTls{std::move(identity.chain), std::move(identity.key), authority_->certificate()};
}

v1::ServerInfo ControlPlane::info() const {
  v1::ServerInfo info;
  info.set_version(kVersion);
  info.set_cluster_id(cluster_);
  info.set_data_folder(options_.data.string());
  info.set_http_address(options_.http);
  info.set_grpc_address(options_.grpc);
  info.set_pid(::getpid());
  info.set_name(name());
  info.set_store(etcd_ ? options_.store.address : "sqlite");
  if (!election_) {
    auto& member = *info.add_members();
    member.set_name(info.name());
    member.set_address(door_.address);
    member.set_leads(true);
    return info;
  }
  for (const auto& known : election_->members()) {
    auto& member = *info.add_members();
    member.set_name(known.name);
    member.set_address(known.address);
    member.set_leads(known.leads);
  }
  std::ranges::sort(*info.mutable_members(), {}, [](const auto& member) { return member.name(); });
  return info;
}

std::vector<std::string> ControlPlane::server_addresses() const {
  std::vector<std::string> addresses;
  if (!election_) return addresses;
  for (const auto& member : election_->members())
    if (!member.address.empty()) addresses.push_back(member.address);
  return addresses;
}

control::services::DispatcherOptions ControlPlane::dispatcher_options() {
  return {.cluster_id = cluster_,
          .heartbeat_seconds = static_cast<std::uint32_t>(options_.heartbeat.count()),
          .lease_seconds = static_cast<std::uint32_t>(options_.node_lost_after.count()),
          .heard = [this](const std::string& uid) { liveness_->heard(uid, clock_.now()); },
          .left = [this](const std::string& uid) { liveness_->left(uid); },
          .certificate_for = certificate_for(),
          .servers = [this] { return server_addresses(); }};
}

control::services::CertificateFor ControlPlane::certificate_for() {
  return
      [this](const std::vector<std::string>& hosts) { return route_authority_->certificate_for(hosts, clock_.wall()); };
}

}  // namespace orchion::daemon
