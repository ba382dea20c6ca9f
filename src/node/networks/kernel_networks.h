#pragma once

// The blocking half of LinuxNetworks: what it does to the kernel, step by step.

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/firewall.h"
#include "node/networks/names.h"
#include "node/networks/networks.h"
#include "node/networks/overlay.h"
#include "node/networks/published_ports.h"
#include "node/networks/tunnels.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {

// Thread-safe; every call blocks, calls about one task follow one another. Works in the network namespace of the
// thread that made it; all callers must be in that one.
class KernelNetworks {
 public:
  KernelNetworks(std::string cluster_short_id, std::filesystem::path run_folder, PublishedPorts::HoldApart hold_apart,
                 std::shared_ptr<Tunnels> tunnels);

  base::Result<> set_address(const std::string& address, const std::string& cluster_id);
  base::Result<> set_machines(const Machines& machines);
  base::Result<> ensure_network(const NetworkConfig& config);
  base::Result<> remove_network(const std::string& uid);
  base::Result<> set_remotes(const std::string& network_uid, const std::vector<Remote>& remotes);
  base::Result<> set_virtual_addresses(const std::vector<VirtualAddress>& addresses);
  base::Result<> set_policies(const Policies& policies) { return firewall_.set_policies(policies); }
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
    LegAddress<Ipv4> v4;  // without a task's address
    std::optional<LegAddress<Ipv6>> v6;
    bool internal = false;
    int mtu = 0;                                     // 0: what fits
    std::string parent;                              // of a macvlan network
    std::optional<std::vector<RemoteTask>> remotes;  // tasks of it on other machines; unset: nobody said yet
  };
  // As Networks::set_address.
  struct Overlay {
    Ipv4 machine;
    std::uint32_t number = 0;
    int mtu = 0;  // of tasks' links
  };
  struct Neighbour {
    Ipv4 machine;
    std::optional<Ipv4> host;
    std::optional<TunnelPeer> tunnel;
  };
  // As Machines.
  struct Around {
    bool said = false;  // before, the tunnels of a former process stay as they are
    std::optional<Ipv4> host;
    std::optional<Ipv4> tunnel;
    std::vector<Neighbour> neighbours;
  };
  class TaskTurn;

  static base::Result<Network> read_network(const NetworkConfig& config);
  static base::Result<Around> read_machines(const Machines& machines);
  base::Result<TunnelEnds> lead_tunnels(const Overlay& overlay, const Around& around);
  base::Result<bool> is_needed();
  base::Result<std::vector<Leg>> plan_legs(const TaskNetwork& task);
  base::Result<> attach_in_turn(const TaskNetwork& task);
  base::Result<> unlink_in_turn(const std::string& task_uid);
  base::Result<> release_in_turn(const std::string& task_uid);
  base::Result<Leg> plan_leg(const Attachment& attachment) const;
  void add_names_leg(std::vector<Leg>& legs) const;
  base::Result<> ensure_macvlan(const NetworkConfig& config, Network network);
  base::Result<> note_wired(const std::string& task_uid, bool routed);
  base::Result<> admit_names(const std::string& task_uid, const std::vector<Leg>& legs);
  base::Result<> sweep_unnamed(const std::vector<std::string>& network_uids, const std::vector<std::string>& task_uids);
  base::Result<> sweep_links(const std::vector<std::string>& task_uids);
  base::Result<std::vector<std::string>> namespace_files() const;
  base::Result<> lead_to_machines();
  base::Result<> lead_machine_to(const std::vector<VirtualAddress>& addresses);
  base::Result<std::vector<RemoteTask>> wanted_remotes(NetlinkSocket& socket);
  base::Result<> remove_if_unused();

  const Names names_;
  const bool is_apart_;                     // in a namespace that has none of the machine's interfaces
  const std::filesystem::path folder_;      // of the namespaces
  const std::shared_ptr<Tunnels> tunnels_;  // null: none
  Firewall firewall_;
  PublishedPorts ports_;
  std::mutex networks_turn_;                      // networks and virtual addresses come and go one at a time
  std::mutex routes_mutex_;                       // guards what follows
  std::optional<std::set<Ipv4>> virtual_routes_;  // the machine's own; unset: whatever a former process left
  mutable std::mutex mutex_;                      // guards what follows
  bool address_said_ = false;                     // before, what a former process led stays as it is
  std::optional<Overlay> overlay_;
  Around around_;
  std::map<std::string, Network> networks_;
  std::set<std::string> busy_tasks_;
  std::set<std::string> routed_tasks_;  // that this process wired without any macvlan
  std::condition_variable task_done_;
};

}  // namespace orchion::node::networks
