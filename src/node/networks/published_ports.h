#pragma once

// The ports that this machine's tasks publish: who has which, held on the machine and led to the tasks.

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "node/networks/firewall.h"
#include "node/networks/host_ports.h"
#include "node/networks/networks.h"

namespace orchion::node::networks {

// A port that a relay has to serve, where the kernel doesn't translate it: ::1, and one on another IPv6 address whose
// tasks have IPv4 alone; as the way to other machines from 127.0.0.1, one on every address.
struct RelayPort {
  PortKey key;            // its host_ip is IPv6, or empty
  base::UniqueFd socket;  // bound, not listening; empty where it was taken before
  std::vector<PortMember> members;
};

// Tasks of one owner share a port, others are refused it. A task first reserves its ports, then is published and
// unpublished on them. While none is published, connections go to the machines that have tasks behind the same port.
// Thread-safe; blocks. `firewall` must outlive it.
class PublishedPorts {
 public:
  // Where the networks are apart from the machine's: how a port of the machine is had. An IPv4 one comes to nothing
  // that this process holds: it is led into the networks' namespace, to kMachineApart or, from 127.0.0.1,
  // kLoopbackApart. Thread-safe.
  using HoldApart = std::function<base::Result<base::UniqueFd>(const HostPort&)>;

  explicit PublishedPorts(Firewall& firewall, HoldApart hold_apart = {})
      : firewall_(firewall), hold_apart_(std::move(hold_apart)) {}

  // All of the task's ports or none; a task that has reserved keeps what it has. kFailedPrecondition: one is taken.
  // `to`: the task's addresses that they lead to.
  struct Addresses {
    std::string v4;
    std::string v6;  // empty: none
  };
  base::Result<> reserve(const std::string& task_uid, const std::string& owner, Addresses to,
                         const std::vector<PublishedPort>& ports);
  base::Result<> publish(const std::string& task_uid);
  base::Result<> unpublish(const std::string& task_uid);

  // Unpublished, and the reservation given up.
  base::Result<> withdraw(const std::string& task_uid);

  // As Networks::set_distant_ports.
  base::Result<> set_distant(std::vector<DistantPort> ports);
  base::Result<bool> has_distant();

  // Every port that a relay must serve now, with its socket at the first call.
  std::vector<RelayPort> relay_ports();

  // The ports of the machine that are had, but those on IPv6 addresses.
  std::set<PortKey> held();

  // Every task that has ports, a former process's included.
  base::Result<std::vector<std::string>> tasks();

  void forget_all();

 private:
  struct Port {
    std::string owner;            // empty: a former process's, nobody has reserved it yet
    std::set<std::string> tasks;  // that reserved it
    std::vector<base::UniqueFd> holds;
    std::vector<base::UniqueFd> relay_sockets;  // for `relay_key`, until taken
    std::vector<PortKey> relay_keys;
    std::vector<PortMember> members;  // published
    std::vector<PortMember> distant;  // machines that stand in while there are none
    std::vector<PortMember> shown;    // of these two what the kernel leads to
  };
  static bool is_unused(const Port& port) { return port.tasks.empty() && port.members.empty() && port.distant.empty(); }
  using Members = std::map<PortKey, std::vector<PortMember>>;
  struct Task {
    Addresses addresses;
    std::vector<PublishedPort> ports;
  };

  base::Result<> adopt();
  base::Result<> check_free(const std::string& task_uid, const std::string& owner, const PortKey& key) const;
  base::Result<> give_way(const std::string& owner, const PortKey& key);
  base::Result<> reserve_port(const std::string& task_uid, const std::string& owner, const PortKey& key);
  base::Result<> hold(Port& port, const PortKey& key) const;
  bool is_translated(const PortKey& key) const;
  static std::vector<PortMember> led_to(const PortKey& key, const std::vector<PortMember>& members);
  PortKey in_kernel(PortKey key) const;
  PortKey on_machine(PortKey key) const;
  void release(const std::string& task_uid);
  base::Result<> change_members(const std::string& task_uid, bool published);
  base::Result<> withdraw_adopted(const std::string& task_uid);
  base::Result<> show(const Members& members, const Members& distant);
  base::Result<> settle_distant();
  bool stand_in(const DistantPort& wanted, const PortKey& key);

  Firewall& firewall_;
  const HoldApart hold_apart_;
  std::mutex mutex_;  // guards what follows
  bool adopted_ = false;
  std::map<PortKey, Port> ports_;
  std::map<std::string, Task> tasks_;
  std::vector<DistantPort> distant_;  // as wanted
};

}  // namespace orchion::node::networks
