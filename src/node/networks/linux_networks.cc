#include "node/networks/linux_networks.h"

#include <set>

#include "node/networks/kernel_networks.h"
#include "node/networks/loopback_relay.h"

namespace orchion::node::networks {

LinuxNetworks::LinuxNetworks(base::Executor executor, base::WorkerPool& workers, Options options)
    : executor_(std::move(executor)),
      workers_(workers),
      kernel_(std::make_shared<KernelNetworks>(options.cluster_short_id, options.run_folder)),
      deletions_(executor_, workers_, [kernel = kernel_] { return kernel->delete_released(); }) {}

LinuxNetworks::~LinuxNetworks() = default;

base::Co<> LinuxNetworks::ensure_network(NetworkConfig config) {
  auto job = [kernel = kernel_, config] { return kernel->ensure_network(config); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<> LinuxNetworks::remove_network(std::string uid) {
  auto job = [kernel = kernel_, uid] { return kernel->remove_network(uid); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<> LinuxNetworks::set_remotes(std::string network_uid, std::vector<Remote> remotes) {
  auto job = [kernel = kernel_, network_uid, remotes = std::move(remotes)] {
    return kernel->set_remotes(network_uid, remotes);
  };
  co_return co_await workers_.run(std::move(job));
}

std::filesystem::path LinuxNetworks::namespace_path(const std::string& task_uid) const {
  return kernel_->namespace_path(task_uid);
}

base::Co<> LinuxNetworks::attach(TaskNetwork task) {
  auto job = [kernel = kernel_, task] { return kernel->attach(task); };
  auto attached = co_await workers_.run(std::move(job));
  // Also after a failure: a relay may have had what was in the way.
  auto synced = sync_relays();
  co_return attached ? std::move(synced) : std::move(attached);
}

base::Co<> LinuxNetworks::attach_at(TaskNetwork task, std::filesystem::path path) {
  auto job = [kernel = kernel_, task, path = std::move(path)] { return kernel->attach_at(task, path); };
  auto attached = co_await workers_.run(std::move(job));
  auto synced = sync_relays();
  co_return attached ? std::move(synced) : std::move(attached);
}

// Relays serve what is reserved, and lead to what is published.
base::Result<> LinuxNetworks::sync_relays() {
  std::set<PortKey> present;
  for (auto& port : kernel_->relay_ports()) {
    present.insert(port.key);
    if (port.socket) {
      ASSIGN_OR_RETURN(relays_[port.key], LoopbackRelay::start(executor_, std::move(port.socket), port.key.udp));
    }
    std::vector<LoopbackRelay::Target> targets;
    for (const auto& member : port.members) targets.push_back({member.address, member.port});
    const auto relay = relays_.find(port.key);
    if (relay != relays_.end() && relay->second) RETURN_IF_ERROR(relay->second->set_targets(targets));
  }
  std::erase_if(relays_, [&](const auto& relay) { return !present.contains(relay.first); });
  return {};
}

base::Co<> LinuxNetworks::publish(std::string task_uid) {
  auto job = [kernel = kernel_, task_uid] { return kernel->publish(task_uid); };
  CO_RETURN_IF_ERROR(co_await workers_.run(std::move(job)));
  co_return sync_relays();
}

base::Co<> LinuxNetworks::unpublish(std::string task_uid) {
  auto job = [kernel = kernel_, task_uid] { return kernel->unpublish(task_uid); };
  CO_RETURN_IF_ERROR(co_await workers_.run(std::move(job)));
  co_return sync_relays();
}

base::Co<> LinuxNetworks::set_distant_ports(std::vector<DistantPort> ports) {
  auto job = [kernel = kernel_, ports = std::move(ports)] { return kernel->set_distant_ports(ports); };
  CO_RETURN_IF_ERROR(co_await workers_.run(std::move(job)));
  co_return sync_relays();
}

base::Co<> LinuxNetworks::detach(std::string task_uid) {
  auto job = [kernel = kernel_, task_uid] { return kernel->release(task_uid); };
  CO_RETURN_IF_ERROR(co_await workers_.run(std::move(job)));
  CO_RETURN_IF_ERROR(sync_relays());
  co_return co_await deletions_.run();
}

base::Co<> LinuxNetworks::sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) {
  auto job = [kernel = kernel_, networks = std::move(network_uids), tasks = std::move(task_uids)] {
    return kernel->sweep(networks, tasks);
  };
  CO_RETURN_IF_ERROR(co_await workers_.run(std::move(job)));
  co_return sync_relays();
}

base::Co<> LinuxNetworks::remove_all() {
  relays_.clear();
  auto job = [kernel = kernel_] { return kernel->remove_all(); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<> LinuxNetworks::set_resolver_port(std::uint16_t port) {
  auto job = [kernel = kernel_, port] { return kernel->set_resolver_port(port); };
  co_return co_await workers_.run(std::move(job));
}

}  // namespace orchion::node::networks
