#include "node/networks/firewall.h"

#include "node/networks/foreign_rules.h"

namespace orchion::node::networks {

base::Result<> Firewall::open() {
  if (open_) return {};
  RETURN_IF_ERROR(nft_.run(table_text(table_, resolver_port_)));
  open_ = true;
  return {};
}

base::Result<> Firewall::mend_others() {
  ASSIGN_OR_RETURN(const std::string chains, nft_.run("list chains ip\n"));
  for (const auto& chain : dropping_chains(chains)) {
    ASSIGN_OR_RETURN(const std::string listing, nft_.run(list_chain_text(chain)));
    const std::string text = mend_chain_text(table_, chain, listing, resolver_port_);
    if (!text.empty()) RETURN_IF_ERROR(nft_.run(text));
  }
  return {};
}

base::Result<> Firewall::add_bridge(const std::string& bridge, bool internal) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(open());
  RETURN_IF_ERROR(nft_.run(add_bridge_text(table_, bridge, internal)));
  return mend_others();
}

base::Result<> Firewall::remove_bridge(const std::string& bridge) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(open());
  RETURN_IF_ERROR(nft_.run(remove_bridge_text(table_, bridge)));
  return {};
}

base::Result<> Firewall::set_tunnels(const Tunnels& tunnels) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(open());
  RETURN_IF_ERROR(nft_.run(set_tunnels_text(table_, tunnels)));
  return {};
}

base::Result<> Firewall::set_resolver_port(std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  if (port == resolver_port_) return {};
  resolver_port_ = port;
  // Without a bridge nobody asks: the first one brings the rules.
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

base::Result<> Firewall::change_ports(const std::vector<PortChange>& changes,
                                      const std::vector<std::string>& selves_added,
                                      const std::vector<std::string>& selves_removed) {
  const std::lock_guard lock(mutex_);
  std::string text = change_ports_text(table_, changes);
  for (const auto& address : selves_added) text += add_self_text(table_, address);
  for (const auto& address : selves_removed) text += remove_self_text(table_, address);
  if (text.empty()) return {};
  RETURN_IF_ERROR(open());
  RETURN_IF_ERROR(nft_.run(text));
  return {};
}

base::Result<std::map<PortKey, std::vector<PortMember>>> Firewall::list_ports() {
  const std::lock_guard lock(mutex_);
  // Looking must not make the table: without networks there is none.
  ASSIGN_OR_RETURN(const std::string tables, nft_.run("list tables inet\n"));
  if (tables.find("table inet " + table_.name + "\n") == std::string::npos)
    return std::map<PortKey, std::vector<PortMember>>{};
  ASSIGN_OR_RETURN(const std::string listing, nft_.run("list table inet " + table_.name + "\n"));
  return parse_ports(listing);
}

base::Result<> Firewall::remove_all() {
  const std::lock_guard lock(mutex_);
  for (const char* chain : {"DOCKER-USER", "FORWARD", "INPUT"}) {
    const auto listing = nft_.run(list_chain_text(chain));
    if (!listing) continue;  // there is no such chain
    const std::string text = clean_chain_text(table_, chain, *listing);
    if (!text.empty()) RETURN_IF_ERROR(nft_.run(text));
  }
  open_ = false;
  // Added first, so that removing what isn't there is no error.
  const std::string name = "inet " + table_.name + "\n";
  RETURN_IF_ERROR(nft_.run("add table " + name + "delete table " + name));
  return {};
}

}  // namespace orchion::node::networks
