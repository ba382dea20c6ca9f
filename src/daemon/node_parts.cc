#include "daemon/node_parts.h"

#include <thread>

#include <sys/socket.h>
#include <unistd.h>

#include <fmt/core.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/limits.h"
#include "daemon/rootless.h"
#include "daemon/version.h"
#include "node/devices/capabilities.h"
#include "node/devices/gpus/gpu_file.h"
#include "node/devices/gpus/gpus.h"
#include "node/images/image_collector.h"
#include "node/networks/namespaces.h"

namespace orchion::daemon {

namespace {

// Pulls and imports at a time; the others wait their turn.
constexpr int kImageThreads = 3;

constexpr auto kSessionLimit = std::chrono::seconds(10);
constexpr auto kSessionLook = std::chrono::milliseconds(5);

base::Result<std::shared_ptr<node::networks::Tunnels>> open_tunnels(const Folders& folders, const std::string& short_id,
                                                                    std::uint16_t port) {
  if (is_rootless())
    return base::fail(base::Code::kFailedPrecondition,
                      "--mesh needs root: without, this machine's networks are reached by no other");
  const node::networks::Names names(short_id);
  ASSIGN_OR_RETURN(auto engine, node::networks::choose_wireguard(names.prefix() + "p", folders.run(short_id)));
  return node::networks::Tunnels::open({.cluster_short_id = short_id, .key_folder = folders.agent(), .port = port},
                                       std::move(engine));
}

base::Result<std::vector<node::devices::gpus::LocalGpu>> read_gpu_file(const std::filesystem::path& path) {
  if (std::error_code error; !std::filesystem::exists(path, error) && !error) return {};
  ASSIGN_OR_RETURN(const auto text, base::read_file(path, 1u << 20));
  auto read = node::devices::gpus::parse_gpu_file(text);
  if (read) return read;
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{}: {}: mend it, or remove it", path.string(), read.error().message));
}

int worker_threads() {
  return std::max(4, 2 * static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

// The agent's view of the DNS server.
class NodeParts::GatewayResolver final : public node::agent::Resolver {
 public:
  explicit GatewayResolver(mesh::dns::DnsServer& server) : server_(server) {}

  base::Co<> add_address(std::string address) override { co_return server_.add_address(address); }
  void remove_address(const std::string& address) override { server_.remove_address(address); }
  std::uint16_t port() const override { return server_.port(); }

 private:
  mesh::dns::DnsServer& server_;
};

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "node";
}

node::agent::AgentOptions agent_options(const Folders& folders, std::string hostname) {
  node::agent::AgentOptions options;
  options.folder = folders.agent();
  options.hostname = std::move(hostname);
  options.version = kVersion;
  options.node_files.hooks = folders.hooks();
  options.known_images = node::probes::load_known_images(folders.checks());
  return options;
}

base::Co<> wait_for_session(const node::agent::Agent* agent, base::Clock* clock, std::string otherwise) {
  const auto deadline = clock->now() + kSessionLimit;
  while (!agent->connected() && clock->now() < deadline) CO_RETURN_IF_ERROR(co_await clock->sleep(kSessionLook));
  if (!agent->connected()) base::log::warn("{}", otherwise);
  co_return base::Result<>{};
}

NodeParts::NodeParts(Folders folders)
    : folders_(std::move(folders)), workers_(worker_threads()), image_workers_(kImageThreads) {}

NodeParts::~NodeParts() = default;

base::Result<std::unique_ptr<NodeParts>> NodeParts::open(base::Executor executor, base::Clock& clock,
                                                         const Folders& folders, const std::string& short_id,
                                                         const std::string& preferred, std::uint16_t mesh_port,
                                                         const std::optional<IngressOptions>& ingress) {
  RETURN_IF_ERROR(check_machine());
  std::unique_ptr<NodeParts> parts(new NodeParts(folders));
  const auto run = folders.run(short_id);
  RETURN_IF_ERROR(base::make_folders(run));
  RETURN_IF_ERROR(parts->open_ingress(run, ingress));
  ASSIGN_OR_RETURN(parts->image_limits_, read_image_limits());
  ASSIGN_OR_RETURN(auto described, read_gpu_file(folders.gpus()));
  parts->gpus_ = std::make_unique<node::devices::gpus::Gpus>(
      clock, node::devices::gpus::GpusOptions{.described = std::move(described)});
  node::images::ImageStoreOptions images;
  images.folder = folders.images();
  images.architecture = node::devices::host_architecture();
  images.registry.files = {.credentials = folders.registry_credentials(), .mirrors = folders.registries()};
  ASSIGN_OR_RETURN(parts->images_, node::images::ImageStore::open(executor, parts->image_workers_, std::move(images)));
  ASSIGN_OR_RETURN(parts->executors_, NodeExecutors::open({.executor = executor,
                                                           .clock = clock,
                                                           .workers = parts->workers_,
                                                           .images = *parts->images_,
                                                           .folders = parts->folders_,
                                                           .short_id = short_id,
                                                           .preferred = preferred}));
  node::networks::LinuxNetworks::Options networks{.cluster_short_id = short_id, .run_folder = run};
  mesh::dns::DnsServerOptions resolver;
  if (is_rootless()) {
    const auto place = run / "network";
    ASSIGN_OR_RETURN(auto apart, node::networks::open_namespace(place));
    networks.apart = std::make_shared<const base::UniqueFd>(std::move(apart));
    resolver.make_socket = [apart = networks.apart](int type) {
      return node::networks::make_socket_in(*apart, AF_INET, type);
    };
    parts->uplink_ = std::make_shared<node::networks::Uplink>(clock, parts->workers_, place, run,
                                                              [](pid_t program) { keep_apart(program); });
    networks.uplink = parts->uplink_;
    RETURN_IF_ERROR(parts->uplink_->start());
  }
  if (mesh_port != 0) {
    ASSIGN_OR_RETURN(parts->tunnels_, open_tunnels(folders, short_id, mesh_port));
    networks.tunnels = parts->tunnels_;
  }
  resolver.on_forwarded = [parts = parts.get()](std::string_view, std::string_view name,
                                                std::span<const std::string> addresses, std::chrono::seconds ttl) {
    return parts->agent_ != nullptr ? parts->agent_->learn(name, addresses, ttl) : std::nullopt;
  };
  parts->networks_ = std::make_unique<node::networks::LinuxNetworks>(executor, parts->workers_, std::move(networks));
  parts->volumes_ = std::make_unique<node::volumes::FolderVolumes>(parts->workers_, folders.volumes());
  ASSIGN_OR_RETURN(auto keeping, read_log_limits());
  keeping.folder = folders.kept_logs();
  ASSIGN_OR_RETURN(parts->log_keeper_, node::logs::LogKeeper::start(clock, std::move(keeping)));
  parts->dns_ = std::make_unique<mesh::dns::DnsServer>(executor, clock, parts->records_, std::move(resolver));
  RETURN_IF_ERROR(parts->dns_->start());
  parts->resolver_ = std::make_unique<GatewayResolver>(*parts->dns_);
  return parts;
}

// One that isn't wanted any more is ended, whoever started it.
base::Result<> NodeParts::open_ingress(const std::filesystem::path& run, const std::optional<IngressOptions>& options) {
  const auto folder = run / "ingress";
  if (!options) return mesh::ingress::end_haproxy(folder);
  if (is_rootless())
    return base::fail(base::Code::kFailedPrecondition,
                      "an ingress needs root: without it containers' networks are apart from the machine's; start "
                      "without --ingress, and publish a port instead");
  ASSIGN_OR_RETURN(ingress_, mesh::ingress::HaproxyIngress::open(
                                 {.http = options->http, .https = options->https, .folder = folder}, workers_));
  return {};
}

void NodeParts::serve(node::agent::Agent& agent) {
  agent_ = &agent;
  executors_->wire_by([&agent](std::string task_uid, std::filesystem::path path) {
    return agent.wire(std::move(task_uid), std::move(path));
  });
}

base::Co<> NodeParts::collect_images(base::Clock& clock) {
  return node::images::keep_collecting(images_.get(), &clock, image_limits_);
}

base::Co<> NodeParts::keep_tunnels(base::Clock& clock) {
  if (!tunnels_) co_return base::Result<>{};
  co_return co_await tunnels_->keep(clock, workers_);
}

base::Co<> NodeParts::keep_uplink() {
  if (!uplink_) co_return base::Result<>{};
  co_return co_await uplink_->keep();
}

node::agent::AgentParts NodeParts::for_agent(node::agent::ControlLink& link, base::Clock& clock) {
  auto capabilities = [data = folders_.data, executors = executors_.get(), ingress = ingress_.get(),
                       gpus = gpus_.get()] {
    auto found = node::devices::read_capabilities(data, executors->described());
    for (auto& gpu : gpus->read()) *found.add_gpus() = std::move(gpu);
    found.set_agent_version(kVersion);
    if (ingress != nullptr) *found.mutable_ingress() = ingress->info();
    return found;
  };
  return {.link = link,
          .clock = clock,
          .executors = executors_->executors(),
          .images = *images_,
          .networks = *networks_,
          .volumes = *volumes_,
          .records = records_,
          .resolver = *resolver_,
          .capabilities = std::move(capabilities),
          .look_for_executors = [executors = executors_.get()] { return executors->look_again(); },
          .workers = &workers_,
          .mesh = tunnels_.get(),
          .log_keeper = log_keeper_.get(),
          .ingress = ingress_.get(),
          .gpus = gpus_.get()};
}

}  // namespace orchion::daemon
