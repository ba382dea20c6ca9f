#include "node/networks/firewall.h"

#include <algorithm>
#include <set>

#include "node/networks/conntrack.h"
#include "node/networks/foreign_rules.h"

namespace orchion::node::networks {
namespace {

// Who isn't behind an address any more.
std::set<std::string> left(const VirtualAddresses& before, const VirtualAddresses& after) {
  std::set<std::string> gone;
  for (const auto& [address, members] : before) {
    const auto now = after.find(address);
    for (const auto& member : members) {
      if (now == after.end() || std::ranges::find(now->second, member) == now->second.end()) gone.insert(member);
    }
  }
  return gone;
}

// Who isn't behind a port any more.
std::set<std::string> left(const std::vector<PortChange>& changes) {
  std::set<std::string> gone;
  for (const auto& change : changes) {
    if (!change.key.udp) continue;
    for (const auto& member : change.before) {
      if (std::ranges::find(change.after, member) == change.after.end()) gone.insert(member.address);
    }
  }
  return gone;
}

}  // namespace

base::Result<> Firewall::open() {
  if (open_) return {};
  RETURN_IF_ERROR(nft_.run(table_text(table_, resolver_port_)));
  open_ = true;
  return {};
}

// "" where there is no table: looking must not make it.
base::Result<std::string> Firewall::list() {
  ASSIGN_OR_RETURN(const std::string tables, nft_.run("list tables inet\n"));
  if (tables.find("table inet " + table_.name + "\n") == std::string::npos) return std::string();
  return nft_.run("list table inet " + table_.name + "\n");
}

base::Result<> Firewall::adopt() {
  if (networks_) return {};
  ASSIGN_OR_RETURN(const std::string listing, list());
  networks_ = parse_networks(listing);
  return {};
}

base::Result<> Firewall::mend_others() {
  ASSIGN_OR_RETURN(const std::string chains, nft_.run("list chains\n"));
  for (const auto& chain : dropping_chains(chains)) {
    ASSIGN_OR_RETURN(const std::string listing, nft_.run(list_chain_text(chain)));
    const std::string text = mend_chain_text(table_, chain, listing, resolver_port_);
    if (!text.empty()) RETURN_IF_ERROR(nft_.run(text));
  }
  return {};
}

base::Result<> Firewall::change_networks(NetworkRulesByUid after) {
  RETURN_IF_ERROR(open());
  const std::string text = change_networks_text(table_, *networks_, after);
  if (!text.empty()) RETURN_IF_ERROR(nft_.run(text));
  networks_ = std::move(after);
  return {};
}

base::Result<> Firewall::put_network(const std::string& uid, const NetworkRules& network) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  NetworkRulesByUid after = *networks_;
  after[uid] = network;
  RETURN_IF_ERROR(change_networks(std::move(after)));
  return mend_others();
}

base::Result<> Firewall::remove_network(const std::string& uid) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  if (!networks_->contains(uid)) return {};
  NetworkRulesByUid after = *networks_;
  after.erase(uid);
  return change_networks(std::move(after));
}

base::Result<NetworkRulesByUid> Firewall::networks() {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(adopt());
  return *networks_;
}

base::Result<> Firewall::set_peers(const Peers& peers) {
  const std::lock_guard lock(mutex_);
  if (peers_ == peers) return {};
  RETURN_IF_ERROR(open());
  RETURN_IF_ERROR(nft_.run(set_peers_text(table_, peers)));
  peers_ = peers;
  return {};
}

base::Result<> Firewall::set_virtual(const VirtualAddresses& addresses) {
  const std::lock_guard lock(mutex_);
  std::string text;
  if (virtual_) {
    text = change_virtual_text(table_, *virtual_, addresses);
  } else {
    ASSIGN_OR_RETURN(const std::string listing, list());
    if (!listing.empty() || !addresses.empty()) text = replace_virtual_text(table_, listing, addresses);
  }
  if (!text.empty()) {
    RETURN_IF_ERROR(open());
    RETURN_IF_ERROR(nft_.run(text));
  }
  const auto gone = virtual_ ? left(*virtual_, addresses) : std::set<std::string>{};
  virtual_ = addresses;
  return end_datagram_flows(gone);
}

base::Result<> Firewall::set_policies(const Policies& policies) {
  const std::lock_guard lock(mutex_);
  std::string text;
  if (policies_) {
    text = policies_text(table_, *policies_, policies);
  } else {
    ASSIGN_OR_RETURN(const std::string listing, list());
    if (!listing.empty() || policies != Policies{})
      text = policies_anew_text(table_, parse_policies(listing), policies);
  }
  if (!text.empty()) {
    RETURN_IF_ERROR(open());
    RETURN_IF_ERROR(nft_.run(text));
  }
  policies_ = policies;
  return {};
}

base::Result<> Firewall::set_resolver_port(std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  if (port == resolver_port_) return {};
  resolver_port_ = port;
  // Without a network nobody asks: the first one brings the rules.
  if (!open_) return {};
  open_ = false;
  RETURN_IF_ERROR(open());
  return mend_others();
}

base::Result<> Firewall::let_pass() {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(open());
  return mend_others();
}

base::Result<> Firewall::change_ports(const std::vector<PortChange>& changes) {
  const std::lock_guard lock(mutex_);
  const std::string text = change_ports_text(table_, changes);
  if (text.empty()) return {};
  RETURN_IF_ERROR(open());
  RETURN_IF_ERROR(nft_.run(text));
  return end_datagram_flows(left(changes));
}

base::Result<std::map<PortKey, std::vector<PortMember>>> Firewall::list_ports() {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const std::string listing, list());
  return parse_ports(listing);
}

base::Result<> Firewall::remove_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& chain : possible_chains()) {
    const auto listing = nft_.run(list_chain_text(chain));
    if (!listing) continue;  // there is no such chain
    const std::string text = clean_chain_text(table_, chain, *listing);
    if (!text.empty()) RETURN_IF_ERROR(nft_.run(text));
  }
  // Added first, so that removing what isn't there is no error.
  const std::string name = "inet " + table_.name + "\n";
  RETURN_IF_ERROR(nft_.run("add table " + name + "delete table " + name));
  open_ = false;
  networks_.emplace();
  virtual_.emplace();
  peers_.emplace();
  policies_.emplace();
  return {};
}

}  // namespace orchion::node::networks
