#pragma once

// The ports that this machine's tasks publish: who has which, held on the machine and led to the task.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "node/networks/firewall.h"
#include "node/networks/host_ports.h"
#include "node/networks/networks.h"

namespace orchion::node::networks {

// A port on an IPv6 address: the kernel doesn't translate those to a task, a relay has to serve it.
struct RelaySocket {
  base::UniqueFd socket;  // bound, not listening
  bool udp = false;
  std::string address;  // where it leads: the container
  std::uint16_t port = 0;
};

// Thread-safe; blocks. `firewall` must outlive it.
class PublishedPorts {
 public:
  explicit PublishedPorts(Firewall& firewall) : firewall_(firewall) {}

  // All of the task's ports or none. A task that already has ports keeps them. kFailedPrecondition: one is taken.
  base::Result<> publish(const std::string& task_uid, const std::string& address,
                         const std::vector<PublishedPort>& ports);

  // The sockets that nobody took yet; they count as held either way.
  std::vector<RelaySocket> take_relays(const std::string& task_uid);

  base::Result<> withdraw(const std::string& task_uid);

  // Every task that has ports, a former process's included.
  base::Result<std::vector<std::string>> tasks();

  void forget_all();

 private:
  struct Task {
    std::vector<PortElement> elements;  // in the kernel
    std::vector<base::UniqueFd> holds;
    std::vector<RelaySocket> relays;
    std::vector<HostPort> claims;       // empty with elements: a former process's
  };
  static base::Result<> hold(Task& task, const std::string& task_uid, const std::string& address,
                             const PublishedPort& port);

  base::Result<> adopt();
  base::Result<> check_ours(const std::string& task_uid, const std::vector<PublishedPort>& ports) const;
  base::Result<> replace_elements(const std::vector<PortElement>& old, const std::vector<PortElement>& wanted);

  Firewall& firewall_;
  std::mutex mutex_;  // guards what follows
  bool adopted_ = false;
  std::map<std::string, Task> tasks_;
};

}  // namespace orchion::node::networks
