#pragma once

// The blocking half of LinuxNetworks: what it does to the kernel, step by step.

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/firewall.h"
#include "node/networks/names.h"
#include "node/networks/networks.h"
#include "node/networks/published_ports.h"
#include "node/networks/tunnels.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {

// Thread-safe; every call blocks, calls about one task follow one another. Works in the network namespace of the
// thread that made it; all callers must be in that one.
class KernelNetworks {
 public:
  KernelNetworks(std::string cluster_short_id, std::filesystem::path run_folder, PublishedPorts::HoldApart hold_apart);

  base::Result<> ensure_network(const NetworkConfig& config);
  base::Result<> remove_network(const std::string& uid);
  base::Result<> set_remotes(const std::string& network_uid, const std::vector<Remote>& remotes);
  std::filesystem::path namespace_path(const std::string& task_uid) const { return folder_ / task_uid; }
  base::Result<> attach(const TaskNetwork& task);
  base::Result<> attach_at(const TaskNetwork& task, const std::filesystem::path& path);
  base::Result<> publish(const std::string& task_uid) { return ports_.publish(task_uid); }
  base::Result<> unpublish(const std::string& task_uid) { return ports_.unpublish(task_uid); }
  base::Result<> set_distant_ports(std::vector<DistantPort> ports);
  std::vector<RelayPort> relay_ports() { return ports_.relay_ports(); }
  std::set<PortKey> held_ports() { return ports_.held(); }

  // The first half of detaching: the ports are free, the namespace is gone from its place, the links are only marked.
  base::Result<> release(const std::string& task_uid);

  // The second, for every task released so far.
  base::Result<> delete_released() { return delete_marked(names_.removal_group()); }
  base::Result<> sweep(const std::vector<std::string>& network_uids, const std::vector<std::string>& task_uids);
  base::Result<> remove_all();
  base::Result<> set_resolver_port(std::uint16_t port) { return firewall_.set_resolver_port(port); }

 private:
  struct Network {
    std::string bridge;
    Subnet subnet;
    Ipv4 gateway;
    bool internal = false;
    std::uint32_t vni = 0;        // 0: it stays on this machine
    std::set<std::string> peers;  // the machines that have tasks in it
    int mtu() const { return vni == 0 ? 0 : kTunnelledMtu; }
  };
  class TaskTurn;

  base::Result<std::vector<Leg>> plan_legs(const TaskNetwork& task);
  base::Result<> attach_in_turn(const TaskNetwork& task);
  base::Result<> unlink_in_turn(const std::string& task_uid);
  base::Result<> release_in_turn(const std::string& task_uid);
  base::Result<std::vector<std::string>> namespace_files() const;
  base::Result<> tell_tunnels();

  const Names names_;
  const std::filesystem::path folder_;  // of the namespaces
  Firewall firewall_;
  PublishedPorts ports_;
  std::mutex bridges_turn_;  // networks come and go one at a time; guards what the firewall was told
  Tunnels told_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, Network> networks_;
  std::set<std::string> busy_tasks_;
  std::condition_variable task_done_;
};

}  // namespace orchion::node::networks
