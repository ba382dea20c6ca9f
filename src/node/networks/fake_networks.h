#pragma once

// Networks in memory, for tests of what uses them.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/networks/networks.h"

namespace orchion::node::networks {

// Answers at once, and as the real one does: unknown networks and ports that two tasks want are refused. Not
// thread-safe.
class FakeNetworks final : public Networks {
 public:
  // What tests read.
  std::map<std::string, NetworkConfig> networks;
  std::map<std::string, TaskNetwork> tasks;
  std::map<std::string, std::vector<Remote>> remotes;  // by network uid
  std::set<std::string> published;
  std::vector<DistantPort> distant_ports;
  std::vector<VirtualAddress> virtual_addresses;
  Policies policies;
  std::string address;
  std::string host_address;
  std::vector<Peer> peers;
  std::uint16_t resolver_port = 0;

  // What tests set: the next attach() fails with it, once; remove_network() while it is set; ports other programs have.
  std::optional<base::Error> next_attach_error;
  std::optional<base::Error> removal_error;
  std::set<std::uint16_t> taken_ports;

  base::Co<> set_address(std::string known_as, std::string cluster_id) override;
  base::Co<> set_peers(std::string own, std::vector<Peer> others) override;
  base::Co<> ensure_network(NetworkConfig config) override;
  base::Co<> remove_network(std::string uid) override;
  base::Co<> set_remotes(std::string network_uid, std::vector<Remote> remotes) override;
  base::Co<> set_virtual_addresses(std::vector<VirtualAddress> addresses) override;
  base::Co<> set_policies(Policies policies) override;
  std::filesystem::path namespace_path(const std::string& task_uid) const override;
  base::Co<> attach(TaskNetwork task) override;
  base::Co<> attach_at(TaskNetwork task, std::filesystem::path path) override;
  base::Co<> publish(std::string task_uid) override;
  base::Co<> unpublish(std::string task_uid) override;
  base::Co<> set_distant_ports(std::vector<DistantPort> ports) override;
  base::Co<> detach(std::string task_uid) override;
  base::Co<> sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) override;
  base::Co<> remove_all() override;
  base::Co<> set_resolver_port(std::uint16_t port) override;

 private:
  base::Result<> check(const TaskNetwork& task) const;
};

}  // namespace orchion::node::networks
