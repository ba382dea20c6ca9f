#include "daemon/node_parts.h"

#include <thread>

#include <unistd.h>

#include "base/log.h"
#include "daemon/version.h"
#include "node/devices/capabilities.h"
#include "node/runtimes/oci/runtime_binary.h"

namespace orchion::daemon {

namespace {

// Pulls and imports at a time; the others wait their turn.
constexpr int kImageThreads = 3;

constexpr auto kSessionLimit = std::chrono::seconds(10);
constexpr auto kSessionLook = std::chrono::milliseconds(5);

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

base::Result<std::vector<node::runtimes::oci::RuntimeBinary>> check_machine() {
  if (::geteuid() != 0)
    return base::fail(base::Code::kPermissionDenied,
                      "running containers needs root: start this with sudo, or run only the control plane with "
                      "`orchion server --no-agent`");
  return node::runtimes::oci::find_oci_runtimes();
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "node";
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

base::Result<std::unique_ptr<NodeParts>> NodeParts::open(base::Executor executor, const Folders& folders,
                                                         const std::string& short_id) {
  ASSIGN_OR_RETURN(auto binaries, check_machine());
  std::unique_ptr<NodeParts> parts(new NodeParts(folders));
  v1::RuntimeInfo info;
  info.set_name(binaries.front().name);
  info.set_version(binaries.front().version);
  for (const auto& binary : binaries) info.add_oci_runtimes(binary.name);
  info.set_executor("oci");
  info.set_is_default(true);
  parts->runtimes_.push_back(info);
  const auto run = folders.run(short_id);
  RETURN_IF_ERROR(base::make_folders(run));
  ASSIGN_OR_RETURN(parts->runtime_, node::runtimes::oci::OciRuntime::open(executor, parts->workers_,
                                                                          {.state_folder = run,
                                                                           .data_folder = folders.containers(),
                                                                           .cluster_short_id = short_id,
                                                                           .binaries = std::move(binaries)}));
  node::images::ImageStoreOptions images;
  images.folder = folders.images();
  images.architecture = node::devices::host_architecture();
  ASSIGN_OR_RETURN(parts->images_, node::images::ImageStore::open(executor, parts->image_workers_, std::move(images)));
  parts->networks_ = std::make_unique<node::networks::LinuxNetworks>(
      executor, parts->workers_,
      node::networks::LinuxNetworks::Options{.cluster_short_id = short_id, .run_folder = run});
  parts->volumes_ = std::make_unique<node::volumes::FolderVolumes>(parts->workers_, folders.volumes());
  parts->dns_ = std::make_unique<mesh::dns::DnsServer>(executor, parts->records_, mesh::dns::DnsServerOptions{});
  RETURN_IF_ERROR(parts->dns_->start());
  parts->resolver_ = std::make_unique<GatewayResolver>(*parts->dns_);
  return parts;
}

node::agent::AgentParts NodeParts::for_agent(node::agent::ControlLink& link, base::Clock& clock) {
  auto capabilities = [data = folders_.data, runtimes = runtimes_] {
    auto found = node::devices::read_capabilities(data, runtimes);
    found.set_agent_version(kVersion);
    return found;
  };
  return {.link = link,
          .clock = clock,
          .executors = node::agent::Executors({{.name = "oci", .runtime = *runtime_, .images = images_.get()}}),
          .images = *images_,
          .networks = *networks_,
          .volumes = *volumes_,
          .records = records_,
          .resolver = *resolver_,
          .capabilities = std::move(capabilities),
          .workers = &workers_};
}

}  // namespace orchion::daemon
