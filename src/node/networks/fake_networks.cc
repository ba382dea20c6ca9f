#include "node/networks/fake_networks.h"

#include <fmt/format.h>

namespace orchion::node::networks {

base::Co<> FakeNetworks::ensure_network(NetworkConfig config) {
  networks.insert_or_assign(config.uid, config);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::remove_network(std::string uid) {
  if (removal_error) co_return std::unexpected(*removal_error);
  networks.erase(uid);
  remotes.erase(uid);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_address(std::string known_as, std::string) {
  address = std::move(known_as);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_peers(std::string own, std::vector<Peer> others) {
  host_address = std::move(own);
  peers = std::move(others);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_virtual_addresses(std::vector<VirtualAddress> addresses) {
  virtual_addresses = std::move(addresses);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_policies(Policies wanted) {
  policies = std::move(wanted);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_remotes(std::string network_uid, std::vector<Remote> others) {
  remotes[network_uid] = std::move(others);
  co_return base::Result<>{};
}

base::Result<> FakeNetworks::check(const TaskNetwork& task) const {
  for (const auto& attachment : task.attachments) {
    if (networks.contains(attachment.network_uid)) continue;
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the network {} is not set up on this machine", attachment.network_uid));
  }
  for (const auto& port : task.ports) {
    bool taken = taken_ports.contains(port.host_port);
    for (const auto& [uid, other] : tasks) {
      if (uid == task.task_uid || other.owner == task.owner) continue;
      for (const auto& theirs : other.ports) {
        taken = taken || (theirs.host_port == port.host_port && theirs.udp == port.udp &&
                          (theirs.host_ip == port.host_ip || theirs.host_ip.empty() || port.host_ip.empty()));
      }
    }
    if (!taken) continue;
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("port {}/{} is taken on this machine by another program: publish another one",
                                  port.host_port, port.udp ? "udp" : "tcp"));
  }
  return {};
}

std::filesystem::path FakeNetworks::namespace_path(const std::string& task_uid) const {
  return "/fake/netns/" + task_uid;
}

base::Co<> FakeNetworks::attach(TaskNetwork task) {
  if (next_attach_error) {
    base::Error error = std::move(*next_attach_error);
    next_attach_error.reset();
    co_return std::unexpected(std::move(error));
  }
  CO_RETURN_IF_ERROR(check(task));
  tasks.insert_or_assign(task.task_uid, task);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::attach_at(TaskNetwork task, std::filesystem::path) {
  return attach(std::move(task));
}

base::Co<> FakeNetworks::publish(std::string task_uid) {
  published.insert(task_uid);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::unpublish(std::string task_uid) {
  published.erase(task_uid);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_distant_ports(std::vector<DistantPort> ports) {
  distant_ports = std::move(ports);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::detach(std::string task_uid) {
  published.erase(task_uid);
  tasks.erase(task_uid);
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) {
  const std::set<std::string> kept_networks(network_uids.begin(), network_uids.end());
  const std::set<std::string> kept_tasks(task_uids.begin(), task_uids.end());
  std::erase_if(networks, [&](const auto& entry) { return !kept_networks.contains(entry.first); });
  std::erase_if(tasks, [&](const auto& entry) { return !kept_tasks.contains(entry.first); });
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::remove_all() {
  networks.clear();
  tasks.clear();
  co_return base::Result<>{};
}

base::Co<> FakeNetworks::set_resolver_port(std::uint16_t port) {
  resolver_port = port;
  co_return base::Result<>{};
}

}  // namespace orchion::node::networks
