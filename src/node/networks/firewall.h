#pragma once

// Our table in the kernel, and the few rules that others' chains need for our packets.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/networks/network_rules.h"
#include "node/networks/nft.h"
#include "node/networks/policy_rules.h"
#include "node/networks/ruleset.h"

namespace orchion::node::networks {

// Thread-safe; blocks. The table is made at the first call that needs it, in the network namespace of the thread that
// made this object. What a former process left in it counts until it is said otherwise.
class Firewall {
 public:
  explicit Firewall(Table table) : table_(std::move(table)) {}

  // Also mends others' chains: they may have been made or flushed meanwhile.
  base::Result<> put_network(const std::string& uid, const NetworkRules& network);
  base::Result<> remove_network(const std::string& uid);

  // The networks that the table has rules for.
  base::Result<NetworkRulesByUid> networks();

  base::Result<> set_resolver_port(std::uint16_t port);
  base::Result<> set_peers(const Peers& peers);

  // In place of all before, in one transaction.
  base::Result<> set_virtual(const VirtualAddresses& addresses);

  base::Result<> set_policies(const Policies& policies);

  // Connections that other firewalls of the machine would drop on their way to another one pass from now on.
  base::Result<> let_pass();

  // All of it or nothing.
  base::Result<> change_ports(const std::vector<PortChange>& changes);

  // What the kernel has, this process's and what a former one left.
  base::Result<std::map<PortKey, std::vector<PortMember>>> list_ports();

  // The table and the rules in others' chains.
  base::Result<> remove_all();

 private:
  base::Result<> open();
  base::Result<> adopt();
  base::Result<> change_networks(NetworkRulesByUid after);
  base::Result<std::string> list();
  base::Result<> mend_others();

  const Table table_;
  Nft nft_;
  std::mutex mutex_;  // guards what follows
  bool open_ = false;
  std::uint16_t resolver_port_ = 0;
  // What the table holds; unset: whatever a former process left.
  std::optional<NetworkRulesByUid> networks_;
  std::optional<VirtualAddresses> virtual_;
  std::optional<Peers> peers_;
  std::optional<Policies> policies_;
};

}  // namespace orchion::node::networks
