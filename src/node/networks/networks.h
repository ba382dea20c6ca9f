#pragma once

// The networks of this machine: a namespace per task, linked straight to the machine, which routes; who may talk to
// whom, virtual addresses, published ports. All in names and rules of our own; what others made is not touched.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/co.h"
#include "node/networks/policy_rules.h"

namespace orchion::node::networks {

// Where tasks without a routed network ask for names: this machine, on a link that leads to nothing else.
inline constexpr const char* kNamesGateway = "169.254.53.1";

struct NetworkConfig {
  std::string uid;
  std::string subnet;     // "10.192.0.0/20"
  std::string gateway;    // "10.192.0.1": this machine, for the tasks of the network; with a parent: a router there, or
                          // empty, for no way out
  bool internal = false;  // no way out
  std::string subnet6;    // "fd12:3456::/64"; empty: no IPv6
  std::string gateway6;
  int mtu = 0;         // of its tasks' links, in bytes; 0: what fits
  std::string parent;  // "eth0": a macvlan network, its tasks are machines of their own on the network of that
                       // interface; "eth0.20" is made, as the VLAN it names, where it isn't there. Empty: routed here
};

// A task of a network on another machine.
struct Remote {
  std::string address;   // IPv4, in the network
  std::string address6;  // empty: none
  std::string node;      // IPv4, of the machine

  auto operator<=>(const Remote&) const = default;
};

// A machine's end of an encrypted way.
struct Tunnel {
  std::string address;     // IPv4, within
  std::string public_key;  // base64
  std::string endpoint;    // "ADDRESS:PORT" where it is found

  auto operator<=>(const Tunnel&) const = default;
};

// Another machine of the cluster, whose own programs speak to tasks here.
struct Peer {
  std::string address;           // IPv4, of the machine, as Remote::node
  std::string host_address;      // IPv4, from which they speak
  std::optional<Tunnel> tunnel;  // then it is reached through that alone

  auto operator<=>(const Peer&) const = default;
};

// This machine among the others of its cluster.
struct Machines {
  std::string host_address;    // IPv4, from which its own programs speak to tasks of others; empty: they don't
  std::string tunnel_address;  // IPv4, within its encrypted ways; empty: it has none
  std::vector<Peer> peers;

  auto operator<=>(const Machines&) const = default;
};

// A port that tasks on other machines publish on every address of theirs, the same port there.
struct DistantPort {
  std::string owner;  // as TaskNetwork::owner
  std::uint16_t port = 0;
  bool udp = false;
  std::vector<std::string> nodes;  // IPv4, of those machines

  auto operator<=>(const DistantPort&) const = default;
};

struct Attachment {
  std::string network_uid;
  std::string address;   // IPv4
  std::string address6;  // where the network has IPv6; else empty
};

// An address that stands for others of its network: connections to it go round them, or are refused where there are
// none.
struct VirtualAddress {
  std::string address;               // IPv4 or IPv6
  std::vector<std::string> members;  // of the same family

  auto operator<=>(const VirtualAddress&) const = default;
};

struct PublishedPort {
  std::string host_ip;  // empty: all
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  bool udp = false;
};

struct TaskNetwork {
  std::string task_uid;
  std::string owner;                    // "stack/service": tasks of one owner share their published ports,
                                        // connections are spread over them
  std::vector<Attachment> attachments;  // eth0, eth1, … in order; the default route goes through the first that
                                        // isn't internal
  std::vector<PublishedPort> ports;     // lead to the first routed one's that isn't internal, or to the first routed
                                        // one's
};

// One executor; blocking work happens elsewhere. Idempotent, safe to repeat after a crash.
class Networks {
 public:
  virtual ~Networks() = default;

  // This machine's IPv4 address for the others of its cluster, one of its own; empty: none of them is reached, nor
  // reaches this one. Said before tasks are attached: their links carry what fits the way to other machines.
  virtual base::Co<> set_address(std::string address, std::string cluster_id) = 0;

  // All machines, in place of those named before. Programs of all of them reach tasks here, and no policy hinders them,
  // as it doesn't those of this machine. Nothing happens without the machine's address.
  virtual base::Co<> set_machines(Machines machines) = 0;

  // Makes the network's rules, or brings them to this; of a macvlan network, sees to its parent: kFailedPrecondition
  // where that isn't there or is down. What is in the way to other machines is no failure of it: set_remotes() says so.
  virtual base::Co<> ensure_network(NetworkConfig config) = 0;
  virtual base::Co<> remove_network(std::string uid) = 0;

  // All tasks of a network that are on other machines, in place of those named before: nobody else is reached, and
  // their machines alone are listened to. Nothing happens without the machine's address.
  virtual base::Co<> set_remotes(std::string network_uid, std::vector<Remote> remotes) = 0;

  // All virtual addresses of all networks, in place of those before. The machine's own programs reach them by IPv4.
  // Datagrams that went to who isn't behind one any more find another with the next.
  virtual base::Co<> set_virtual_addresses(std::vector<VirtualAddress> addresses) = 0;

  // Who may talk to whom, in place of what held before. In force when it returns, for connections that begin from then
  // on; at no moment is one let through, or refused, that neither of both would.
  virtual base::Co<> set_policies(Policies policies) = 0;

  // Where the task's network namespace is, or will be: known before it is made.
  virtual std::filesystem::path namespace_path(const std::string& task_uid) const = 0;

  // Makes and wires the task's namespace. Reserves its ports, leads no traffic yet.
  // kFailedPrecondition: a host port is taken by another owner or program, by whom where that can be known.
  virtual base::Co<> attach(TaskNetwork task) = 0;

  // The same into the namespace at `path`, a process's, which is the task's from now on: namespace_path() is it. What
  // the task had before is gone.
  virtual base::Co<> attach_at(TaskNetwork task, std::filesystem::path path) = 0;

  // From now on the task gets its share of the connections to its published ports.
  virtual base::Co<> publish(std::string task_uid) = 0;

  // No new connections; called before it is stopped. No error where it isn't published.
  virtual base::Co<> unpublish(std::string task_uid) = 0;

  // All ports of other machines that this one serves too, in place of those named before: connections to them go there,
  // unless and until a task here publishes the same. A port that another owner or program has here stays theirs, and
  // the log says so.
  virtual base::Co<> set_distant_ports(std::vector<DistantPort> ports) = 0;

  // Namespace, links and ports are gone when it returns.
  virtual base::Co<> detach(std::string task_uid) = 0;

  // Removes every network and task that isn't named: what a crash left.
  virtual base::Co<> sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) = 0;

  // Removes all that this agent ever made on the machine, its table and folder included.
  virtual base::Co<> remove_all() = 0;

  // Where containers send their queries: `port` on every gateway is led there from port 53.
  virtual base::Co<> set_resolver_port(std::uint16_t port) = 0;
};

}  // namespace orchion::node::networks
