#include "node/networks/linux_networks.h"

#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <future>
#include <set>

#include "node/networks/kernel_networks.h"
#include "node/networks/loopback_relay.h"
#include "node/networks/namespaces.h"
#include "node/networks/uplink.h"

namespace orchion::node::networks {

namespace {

constexpr int kThreadsApart = 4;

// A thread of the pool that is the networks' own comes in once and never leaves: nobody without root gets back.
base::Result<> be_in(const base::UniqueFd* apart) {
  thread_local bool is_in = false;
  if (apart == nullptr || is_in) return {};
  if (::setns(apart->get(), CLONE_NEWNET) != 0) return base::fail_errno(errno, "entering the containers' network");
  is_in = true;
  return {};
}

}  // namespace

LinuxNetworks::LinuxNetworks(base::Executor executor, base::WorkerPool& workers, Options options)
    : executor_(std::move(executor)),
      apart_(options.apart),
      uplink_(options.uplink),
      own_workers_(apart_ ? std::make_unique<base::WorkerPool>(kThreadsApart) : nullptr),
      workers_(own_workers_ ? *own_workers_ : workers),
      kernel_(make_kernel(options)),
      deletions_(executor_, workers_, [kernel = kernel_, apart = apart_]() -> base::Result<> {
        RETURN_IF_ERROR(be_in(apart.get()));
        return kernel->delete_released();
      }) {}

// It stays in the namespace of the thread that makes it.
std::shared_ptr<KernelNetworks> LinuxNetworks::make_kernel(const Options& options) {
  if (!options.apart)
    return std::make_shared<KernelNetworks>(options.cluster_short_id, options.run_folder, nullptr, options.tunnels);
  return std::async(std::launch::async,
                    [&] {
                      // Where this fails so does the first thread of the pool, which says why.
                      static_cast<void>(be_in(options.apart.get()));
                      return std::make_shared<KernelNetworks>(
                          options.cluster_short_id, options.run_folder,
                          [uplink = options.uplink](const HostPort& port) { return uplink->have(port); }, nullptr);
                    })
      .get();
}

template <class Job>
base::Co<> LinuxNetworks::run(Job job) {
  auto inside = [apart = apart_, job = std::move(job)]() -> base::Result<> {
    RETURN_IF_ERROR(be_in(apart.get()));
    return job();
  };
  co_return co_await workers_.run(std::move(inside));
}

LinuxNetworks::~LinuxNetworks() = default;

base::Co<> LinuxNetworks::set_address(std::string address, std::string cluster_id) {
  auto job = [kernel = kernel_, address, cluster_id] { return kernel->set_address(address, cluster_id); };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::set_machines(Machines machines) {
  auto job = [kernel = kernel_, machines = std::move(machines)] { return kernel->set_machines(machines); };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::ensure_network(NetworkConfig config) {
  auto job = [kernel = kernel_, config] { return kernel->ensure_network(config); };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::remove_network(std::string uid) {
  auto job = [kernel = kernel_, uid] { return kernel->remove_network(uid); };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::set_remotes(std::string network_uid, std::vector<Remote> remotes) {
  auto job = [kernel = kernel_, network_uid, remotes = std::move(remotes)] {
    return kernel->set_remotes(network_uid, remotes);
  };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::set_virtual_addresses(std::vector<VirtualAddress> addresses) {
  auto job = [kernel = kernel_, addresses = std::move(addresses)] { return kernel->set_virtual_addresses(addresses); };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::set_policies(Policies policies) {
  auto job = [kernel = kernel_, policies = std::move(policies)] { return kernel->set_policies(policies); };
  co_return co_await run(std::move(job));
}

std::filesystem::path LinuxNetworks::namespace_path(const std::string& task_uid) const {
  return kernel_->namespace_path(task_uid);
}

base::Co<> LinuxNetworks::attach(TaskNetwork task) {
  auto job = [kernel = kernel_, task] { return kernel->attach(task); };
  auto attached = co_await run(std::move(job));
  // Also after a failure: a relay may have had what was in the way.
  auto synced = co_await sync_ports();
  co_return attached ? std::move(synced) : std::move(attached);
}

base::Co<> LinuxNetworks::attach_at(TaskNetwork task, std::filesystem::path path) {
  auto job = [kernel = kernel_, task, path = std::move(path)] { return kernel->attach_at(task, path); };
  auto attached = co_await run(std::move(job));
  auto synced = co_await sync_ports();
  co_return attached ? std::move(synced) : std::move(attached);
}

// Relays serve what is reserved, and lead to what is published.
base::Result<> LinuxNetworks::sync_relays() {
  std::set<PortKey> present;
  for (auto& port : kernel_->relay_ports()) {
    present.insert(port.key);
    if (port.socket) {
      LoopbackRelay::MakeSocket make;
      if (apart_) make = [apart = apart_](int type) { return make_socket_in(*apart, AF_INET, type); };
      ASSIGN_OR_RETURN(relays_[port.key],
                       LoopbackRelay::start(executor_, std::move(port.socket), port.key.udp, std::move(make)));
    }
    std::vector<LoopbackRelay::Target> targets;
    // What a former process published is the kernel's to lead to.
    for (const auto& member : port.members)
      if (!member.address.empty()) targets.push_back({member.address, member.port});
    const auto relay = relays_.find(port.key);
    if (relay != relays_.end() && relay->second) RETURN_IF_ERROR(relay->second->set_targets(targets));
  }
  std::erase_if(relays_, [&](const auto& relay) { return !present.contains(relay.first); });
  return {};
}

base::Co<> LinuxNetworks::sync_ports() {
  CO_RETURN_IF_ERROR(sync_relays());
  if (!uplink_) co_return base::Result<>{};
  auto job = [uplink = uplink_, kernel = kernel_] { return uplink->retain(kernel->held_ports()); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<> LinuxNetworks::publish(std::string task_uid) {
  auto job = [kernel = kernel_, task_uid] { return kernel->publish(task_uid); };
  CO_RETURN_IF_ERROR(co_await run(std::move(job)));
  co_return co_await sync_ports();
}

base::Co<> LinuxNetworks::unpublish(std::string task_uid) {
  auto job = [kernel = kernel_, task_uid] { return kernel->unpublish(task_uid); };
  CO_RETURN_IF_ERROR(co_await run(std::move(job)));
  co_return co_await sync_ports();
}

base::Co<> LinuxNetworks::set_distant_ports(std::vector<DistantPort> ports) {
  auto job = [kernel = kernel_, ports = std::move(ports)] { return kernel->set_distant_ports(ports); };
  CO_RETURN_IF_ERROR(co_await run(std::move(job)));
  co_return co_await sync_ports();
}

base::Co<> LinuxNetworks::detach(std::string task_uid) {
  auto job = [kernel = kernel_, task_uid] { return kernel->release(task_uid); };
  CO_RETURN_IF_ERROR(co_await run(std::move(job)));
  CO_RETURN_IF_ERROR(co_await sync_ports());
  co_return co_await deletions_.run();
}

base::Co<> LinuxNetworks::sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) {
  auto job = [kernel = kernel_, networks = std::move(network_uids), tasks = std::move(task_uids)] {
    return kernel->sweep(networks, tasks);
  };
  CO_RETURN_IF_ERROR(co_await run(std::move(job)));
  co_return co_await sync_ports();
}

base::Co<> LinuxNetworks::remove_all() {
  relays_.clear();
  auto job = [kernel = kernel_] { return kernel->remove_all(); };
  co_return co_await run(std::move(job));
}

base::Co<> LinuxNetworks::set_resolver_port(std::uint16_t port) {
  auto job = [kernel = kernel_, port] { return kernel->set_resolver_port(port); };
  co_return co_await run(std::move(job));
}

}  // namespace orchion::node::networks
