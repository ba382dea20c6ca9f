#pragma once

// Our table in the kernel, and the few rules that others' chains need for our packets.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/networks/nft.h"
#include "node/networks/ruleset.h"

namespace orchion::node::networks {

// Thread-safe; blocks. The table is made at the first call that needs it, in the network namespace of the thread that
// made this object.
class Firewall {
 public:
  explicit Firewall(Table table) : table_(std::move(table)) {}

  // Also mends others' chains: they may have been made or flushed meanwhile.
  base::Result<> add_bridge(const std::string& bridge, bool internal);
  base::Result<> remove_bridge(const std::string& bridge);
  base::Result<> set_resolver_port(std::uint16_t port);

  base::Result<> set_tunnels(const Tunnels& tunnels);

  // Connections that other firewalls of the machine would drop on their way to another one pass from now on.
  base::Result<> let_pass();

  // All of it or nothing. `selves` are addresses of containers that begin, or end, to have ports.
  base::Result<> change_ports(const std::vector<PortChange>& changes, const std::vector<std::string>& selves_added,
                              const std::vector<std::string>& selves_removed);

  // What the kernel has, this process's and what a former one left.
  base::Result<std::map<PortKey, std::vector<PortMember>>> list_ports();

  // The table and the rules in others' chains.
  base::Result<> remove_all();

 private:
  base::Result<> open();
  base::Result<> mend_others();

  const Table table_;
  Nft nft_;
  std::mutex mutex_;  // guards what follows
  bool open_ = false;
  std::uint16_t resolver_port_ = 0;
};

}  // namespace orchion::node::networks
