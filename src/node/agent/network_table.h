#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "mesh/dns/records.h"
#include "node/agent/change_signal.h"
#include "node/agent/checkpoint_folder.h"
#include "node/agent/network_shares.h"
#include "node/agent/policy_keeper.h"
#include "node/agent/resolver.h"
#include "node/agent/route_keeper.h"
#include "node/networks/networks.h"

namespace orchion::node::agent {

// The networks this node is in, who has which name there, and which published ports lead to other nodes: makes networks
// before tasks need them, removes them after the last has left, feeds the DNS server's table. Goes on from its
// checkpoint while no control plane answers. Who may talk to whom is the policies', which it feeds too. One executor.
class NetworkTable {
 public:
  struct Parts {
    base::Clock& clock;
    networks::Networks& networks;
    PolicyKeeper& policies;
    mesh::dns::RecordTable& records;
    Resolver& resolver;
    CheckpointFolder& folder;
    std::function<std::string()> cluster_id;  // known before the first assignment
    std::function<std::string()> address;     // as AgentOptions::address
    bool in_mesh = false;
    std::function<void(const std::string& uid)> gone;  // called when nothing of a network is left here
    mesh::ingress::Ingress* ingress = nullptr;         // null: this machine has none
    std::function<void(const std::string& task_uid)> share_changed = {};  // as NetworkShares
  };
  NetworkTable(base::Executor executor, Parts parts);

  // What an earlier process knew.
  void restore(const v1::NetworkCheckpoint& names, const std::vector<v1::TaskCheckpoint>& tasks);

  // What this machine itself speaks from to tasks of other machines, and its address in the mesh, as in Welcome.
  void set_addresses(const std::string& host_address, const std::string& mesh_address);

  // The networks and names of an assignment; its tasks are another's.
  void apply(const v1::Assignments& assignments);

  // Until cancelled; exactly one of each runs. The first makes and removes networks, the second keeps the checkpoint,
  // the third leads what the ingress takes.
  base::Co<> keep();
  base::Co<> save_changes();
  base::Co<> keep_routes() { return routes_.keep(); }

  // Returns when the network is there. kUnavailable: nobody has told this node about it.
  base::Co<> ensure(std::string uid);

  // The task is about to be in its networks; from now on they stay, and the resolver knows who asks.
  void hold(const v1::Task& task);
  void release(const std::string& task_uid);

  // Whose networks tasks here share. Who shares enters by hold(), and leaves by release().
  NetworkShares& shares() { return shares_; }
  const NetworkShares& shares() const { return shares_; }

  // Whether names may lead to this task, which runs here: said before the control plane says it, and without it.
  void set_ready(const std::string& task_uid, bool ready);

  // The task is about to be stopped: nobody is led to it any more. Where others of its service can stand in it returns
  // when the other nodes have had the time to hear so too.
  base::Co<> drain(std::string task_uid);

  // Whether that takes a while.
  bool needs_draining(const std::string& task_uid) const;

  // The networks of this task that are known.
  std::vector<v1::NetworkAssignment> networks_of(const v1::Task& task) const;
  std::vector<std::string> uids() const;
  bool has(const std::string& uid) const { return entries_.contains(uid); }

 private:
  struct Entry {
    v1::NetworkAssignment network;
    bool wanted = true;
    bool ready = false;
    bool led = false;               // the way to its tasks on other nodes is as the names say
    bool busy = false;              // somebody is making or removing it
    std::set<std::string> holders;  // task uids
  };
  using EndpointKey = std::pair<std::string, std::string>;  // task uid, network uid

  void put_network(const v1::NetworkAssignment& network);
  void put_endpoint(const v1::Endpoint& endpoint);
  void put_record(const v1::Endpoint& endpoint);
  void remove_endpoint(const EndpointKey& key);
  void forget_members(const std::string& network_uid);
  void put_policies(const v1::PolicyAssignments& policies);
  void put_distant_ports(const v1::DistantPorts& ports);
  void put_peers(const v1::Peers& peers);
  base::Co<> lead_ports();
  base::Co<> lead_services();
  base::Co<> know_peers();
  std::string way_to(const std::string& node_address) const;
  base::Co<> know_address();
  base::Co<> know_around();
  bool has_gateway_of_another(const Entry& entry) const;
  bool is_serving(const v1::Endpoint& endpoint) const;
  bool has_stand_in(const std::string& task_uid) const;
  std::vector<mesh::ingress::Server> servers_of(const v1::RouteAssignment& route) const;
  void drop_unnamed(const v1::Assignments& assignments);
  base::Co<> make(std::shared_ptr<Entry> entry);
  base::Co<> make_in_turn(std::shared_ptr<Entry> entry);
  base::Co<> lead(std::shared_ptr<Entry> entry);
  base::Co<> remove(std::shared_ptr<Entry> entry);
  void names_changed(const std::string& network_uid);
  base::Co<bool> settle();
  void note(const std::string& what, const base::Result<>& done);
  v1::NetworkCheckpoint checkpoint() const;

  Parts parts_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // by network uid
  std::map<EndpointKey, v1::Endpoint> endpoints_;
  std::set<std::string> held_tasks_;
  NetworkShares shares_;
  std::set<std::string> unready_tasks_;
  v1::DistantPorts distant_ports_;
  v1::PolicyAssignments policies_;
  v1::Peers peers_;
  std::string host_address_;
  std::string mesh_address_;
  bool peers_known_ = false;                     // to the networks, as they are
  bool ports_led_ = false;                       // the machine serves them as they are
  bool services_led_ = false;                    // virtual addresses lead to who serves, or are about to
  bool leading_services_ = false;                // the machine is being told
  std::optional<std::string> address_;           // of this machine, as the networks know it
  std::map<std::string, std::string> problems_;  // what is to be tried again, and why it failed last
  bool unsaved_ = false;
  ChangeSignal changed_;
  RouteKeeper routes_;
};

}  // namespace orchion::node::agent
