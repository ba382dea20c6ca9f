#include "node/networks/ruleset.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/node_addresses.h"
#include "node/networks/listing.h"
#include "node/networks/network_rules.h"
#include "node/networks/overlay.h"
#include "node/networks/policy_rules.h"

namespace orchion::node::networks {
namespace {

// {0} the table, {1} links to tasks, {2} leading queries to the resolver, {3} letting internal networks' queries in,
// {4} the port of VXLAN, {5} the mark of connections led to other machines, {6} what containers can't reach, {7}
// refusing them the machine's loopback behind an uplink, {8} all our links, {9} the one to other machines, {10} the
// mark of who
// talks to itself, {11} the chain of policies, {12} the range of machines' own addresses, {13} the one that encrypts,
// {14} the range of addresses within them.
//
// guard: route_localnet, which published ports on 127.0.0.1 need, must not open the host's loopback to containers.
// Before connection tracking, where answers to translated connections still carry the gateway's address. And nobody
// sends with an address that isn't led to by the link it came from.
//
// prerouting: a virtual address means something to its own network alone.
//
// output: the machine's own programs have the same virtual addresses as tasks, by a route that leaves them 127.0.0.1 as
// their address.
//
// postrouting: 127.0.0.1 means nothing to a container, nor on another machine. A machine that speaks to a task, this or
// another, has the network's gateway as its address there: to that there is a way out of every network, by the right
// link. All other clients but a task itself keep their address.
//
// publish: ::1 never leaves the machine, whatever is translated: a relay has it.
//
// members: who is behind each port, as a record for the next process; no rule reads it.
//
// input: another VXLAN on the machine, with other numbers, is not our concern. The number is 12 bytes into UDP. A
// tunnel's addresses are believed from the tunnel alone, and nothing but VXLAN and published ports is served there.
//
// forward: tasks of one network reach each other, and machines all tasks; others, on this machine or elsewhere, only
// what is published. What nobody has of a network's range goes nowhere, least of all out into the world by the
// machine's default route.
constexpr std::string_view kTable = R"(
add set inet {0} members {{ type ipv4_addr . inet_proto . inet_service . ipv4_addr . inet_service; }}
add set inet {0} members6 {{ type ipv6_addr . inet_proto . inet_service . ipv6_addr . inet_service; }}
add set inet {0} tunnels {{ typeof @th,96,24; }}
add set inet {0} peers {{ type ipv4_addr; }}
add set inet {0} hosts {{ type ipv4_addr . ether_addr; }}
add map inet {0} published {{ type inet_proto . inet_service : verdict; }}
add map inet {0} published_on {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
add map inet {0} published6 {{ type inet_proto . inet_service : verdict; }}
add map inet {0} published_on6 {{ type ipv6_addr . inet_proto . inet_service : verdict; }}
add chain inet {0} guard {{ type filter hook prerouting priority raw; policy accept; }}
add chain inet {0} prerouting {{ type nat hook prerouting priority dstnat; policy accept; }}
add chain inet {0} output {{ type nat hook output priority -100; policy accept; }}
add chain inet {0} sent {{ type filter hook output priority filter; policy accept; }}
add chain inet {0} postrouting {{ type nat hook postrouting priority srcnat; policy accept; }}
add chain inet {0} forward {{ type filter hook forward priority filter; policy accept; }}
add chain inet {0} input {{ type filter hook input priority filter; policy accept; }}
add chain inet {0} resolver
add chain inet {0} publish
add chain inet {0} from_task
add chain inet {0} from_internal
flush chain inet {0} guard
flush chain inet {0} prerouting
flush chain inet {0} output
flush chain inet {0} sent
flush chain inet {0} postrouting
flush chain inet {0} forward
flush chain inet {0} input
flush chain inet {0} resolver
flush chain inet {0} publish
flush chain inet {0} from_task
flush chain inet {0} from_internal
table inet {0} {{
  chain guard {{
    iifname "{8}*" ip daddr {6} drop
    iifname "{8}*" fib saddr . iif oif missing drop
  }}
  chain resolver {{
    {2}
  }}
  chain publish {{
    ip6 daddr ::1 return
    ip6 daddr . meta l4proto . th dport vmap @published_on6
    meta nfproto ipv6 meta l4proto . th dport vmap @published6
    ip daddr . meta l4proto . th dport vmap @published_on
    meta l4proto . th dport vmap @published
  }}
  chain prerouting {{
    iifname "{1}*" ip saddr . ip daddr @gateways meta l4proto {{ tcp, udp }} jump resolver
    iifname "{1}*" ip saddr . ip daddr @within ip daddr vmap @virtual
    iifname "{1}*" ip6 saddr . ip6 daddr @within6 ip6 daddr vmap @virtual6
    fib daddr type local meta l4proto {{ tcp, udp }} jump publish
  }}
  chain output {{
    fib daddr type local meta l4proto {{ tcp, udp }} jump publish
    ip daddr vmap @virtual
  }}
  chain sent {{
    oifname "lo" accept
    oifname "{8}*" accept
    ip daddr @subnets reject with icmp type host-unreachable
    ip6 daddr @subnets6 reject with icmpv6 type addr-unreachable
  }}
  chain postrouting {{
    ct mark and {10} == {10} masquerade
    ip saddr 127.0.0.0/8 oifname "{8}*" masquerade
    iifname "{9}" ip saddr {12} oifname "{1}*" masquerade
    iifname "{1}*" oifname != "{8}*" masquerade
    ct mark and {5} == {5} ct status dnat masquerade
  }}
  chain from_task {{
    ip saddr @closed drop
    ip6 saddr @closed6 drop
  }}
  chain forward {{
    {7}
    ct state established,related accept
    iifname "{1}*" ct status dnat fib daddr . iif oif exists ct mark set ct mark or {10} accept
    iifname "{9}" ip saddr . ether saddr @hosts oifname "{1}*" accept
    oifname != "{8}*" ip daddr @subnets reject with icmp type host-unreachable
    oifname != "{8}*" ip6 daddr @subnets6 reject with icmpv6 type addr-unreachable
    jump {11}
    ip saddr . ip daddr @within accept
    ip6 saddr . ip6 daddr @within6 accept
    iifname "{1}*" jump from_task
    iifname "{9}" drop
    iifname "{13}" ct status & dnat == 0 drop
    ip daddr @closed drop
    ip6 daddr @closed6 drop
    oifname "{1}*" ct status dnat accept
    oifname "{13}" ct mark and {5} == {5} ct status dnat accept
    oifname "{8}*" drop
  }}
  chain from_internal {{
    ct state established,related accept
    {3}
    ip saddr . ip daddr @gateways ip protocol icmp accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, echo-request }} accept
    drop
  }}
  chain input {{
    iifname "{1}*" ip saddr @closed jump from_internal
    iifname "{1}*" ip6 saddr @closed6 jump from_internal
    iifname "{9}" ct state established,related accept
    iifname "{9}" drop
    iifname != "lo" iifname != "{13}" ip saddr {14} drop
    udp dport {4} @th,96,24 @tunnels ip saddr != @peers drop
    iifname "{13}" ct state established,related accept
    iifname "{13}" udp dport {4} accept
    iifname "{13}" drop
  }}
}}
)";

std::string_view protocol_of(const PortKey& key) {
  return key.udp ? "udp" : "tcp";
}

std::string chain_of(const PortKey& key) {
  std::string host = key.host_ip;
  for (char& c : host) {
    if (c == '.' || c == ':') c = '_';
  }
  return fmt::format("port{}_{}_{}{}{}", is_ipv6(key) ? "6" : "", protocol_of(key), key.port, host.empty() ? "" : "_",
                     host);
}

// As in the map for its family and for one address or every one.
std::string element_of(const PortKey& key) {
  const char* family = is_ipv6(key) ? "6" : "";
  if (key.host_ip.empty() || key.host_ip == kEveryIpv6)
    return fmt::format("published{} {{ {} . {}", family, protocol_of(key), key.port);
  return fmt::format("published_on{} {{ {} . {} . {}", family, key.host_ip, protocol_of(key), key.port);
}

const char* record_set(const PortKey& key) {
  return is_ipv6(key) ? "members6" : "members";
}

// As in that set.
std::string record_of(const PortKey& key, const PortMember& member) {
  return fmt::format("{} . {} . {} . {} . {}", key.host_ip.empty() ? "0.0.0.0" : key.host_ip, protocol_of(key),
                     key.port, member.address, member.port);
}

std::string target_of(const PortKey& key, const std::vector<PortMember>& members) {
  if (members.size() == 1)
    return fmt::format("{}{}{}:{}", is_ipv6(key) ? "[" : "", members[0].address, is_ipv6(key) ? "]" : "",
                       members[0].port);
  std::string choices;
  for (std::size_t i = 0; i < members.size(); ++i)
    choices += fmt::format("{}{} : {} . {}", i == 0 ? "" : ", ", i, members[i].address, members[i].port);
  return fmt::format("numgen inc mod {} map {{ {} }}", members.size(), choices);
}

std::string change_records_text(const Table& table, const PortChange& change) {
  std::string text;
  for (const auto& member : change.before) {
    if (std::find(change.after.begin(), change.after.end(), member) == change.after.end())
      text += fmt::format("delete element inet {} {} {{ {} }}\n", table.name, record_set(change.key),
                          record_of(change.key, member));
  }
  for (const auto& member : change.after) {
    if (std::find(change.before.begin(), change.before.end(), member) == change.before.end())
      text += fmt::format("add element inet {} {} {{ {} comment \"{}\" }}\n", table.name, record_set(change.key),
                          record_of(change.key, member), member.task_uid);
  }
  return text;
}

std::string change_port_text(const Table& table, const PortChange& change) {
  if (change.before == change.after) return "";
  const std::string chain = chain_of(change.key);
  std::string text = change_records_text(table, change);
  if (change.after.empty()) {
    return text + fmt::format("delete element inet {0} {2} }}\nflush chain inet {0} {1}\ndelete chain inet {0} {1}\n",
                              table.name, chain, element_of(change.key));
  }
  text += fmt::format("add chain inet {0} {1}\nflush chain inet {0} {1}\n", table.name, chain);
  const bool distant = change.after.front().task_uid == kDistant;
  // What comes to the host's loopback can't leave the machine: a relay has it.
  if (distant) text += fmt::format("add rule inet {} {} ip daddr 127.0.0.0/8 return\n", table.name, chain);
  const std::string mark = distant ? fmt::format("ct mark set ct mark or {} ", kDistantMark) : "";
  text +=
      fmt::format("add rule inet {} {} meta l4proto {} {}dnat {} to {}\n", table.name, chain, protocol_of(change.key),
                  mark, is_ipv6(change.key) ? "ip6" : "ip", target_of(change.key, change.after));
  return text + fmt::format("add element inet {} {} : goto {} }}\n", table.name, element_of(change.key), chain);
}

bool take_number(std::string_view text, std::uint16_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// `0.0.0.0 . 6 . 8080 . 10.0.0.2 . 80`, with the task's uid as its comment.
std::optional<std::pair<PortKey, PortMember>> parse_record(const ListedElement& element) {
  PortKey key;
  PortMember member{.task_uid = element.comment};
  std::string_view fields = element.value;
  key.host_ip = take_until(fields, " . ");
  if (key.host_ip == "0.0.0.0") key.host_ip.clear();
  const std::string_view protocol = take_until(fields, " . ");
  if (member.task_uid.empty() || (protocol != "6" && protocol != "17")) return std::nullopt;
  key.udp = protocol == "17";
  if (!take_number(take_until(fields, " . "), key.port)) return std::nullopt;
  member.address = take_until(fields, " . ");
  if (!take_number(take_until(fields, " "), member.port)) return std::nullopt;
  return std::pair(std::move(key), std::move(member));
}

}  // namespace

std::string table_text(const Table& table, std::uint16_t resolver_port) {
  std::string lead;
  std::string admit;
  if (resolver_port != 0) {
    lead = fmt::format("meta l4proto {{ tcp, udp }} th dport 53 redirect to :{}", resolver_port);
    admit = fmt::format("ct status dnat meta l4proto {{ tcp, udp }} th dport {} accept", resolver_port);
  }
  std::string guarded = "127.0.0.0/8";
  std::string refuse;
  if (table.apart) {
    guarded = fmt::format("{{ 127.0.0.0/8, {} }}", kLoopbackApart);
    // Answers to clients on the machine go there too.
    refuse = fmt::format("iifname \"{}*\" ip daddr {} ct direction original drop", table.task_prefix, kUplinkApart);
  }
  return fmt::format("add table inet {}\n", table.name) + network_sets_text(table) + policies_base_text(table) +
         fmt::format(fmt::runtime(kTable), table.name, table.task_prefix, lead, admit, kTunnelPort, kDistantMark,
                     guarded, refuse, table.link_prefix, table.overlay, kSelfMark, kPoliciesChain,
                     core::kHostAddresses.text(), table.tunnel, core::kTunnelAddresses.text());
}

std::string set_peers_text(const Table& table, const Peers& peers) {
  std::string text =
      fmt::format("flush set inet {0} tunnels\nflush set inet {0} peers\nflush set inet {0} hosts\n", table.name);
  if (peers.number != 0) text += fmt::format("add element inet {} tunnels {{ {} }}\n", table.name, peers.number);
  if (!peers.machines.empty())
    text += fmt::format("add element inet {} peers {{ {} }}\n", table.name, fmt::join(peers.machines, ", "));
  for (const auto& [host, mac] : peers.hosts)
    text += fmt::format("add element inet {} hosts {{ {} . {} }}\n", table.name, host, mac);
  return text;
}

bool is_ipv6(const PortKey& key) {
  return key.host_ip.find(':') != std::string::npos;
}

std::string change_ports_text(const Table& table, const std::vector<PortChange>& changes) {
  std::string text;
  for (const auto& change : changes) text += change_port_text(table, change);
  return text;
}

std::map<PortKey, std::vector<PortMember>> parse_ports(std::string_view listing) {
  std::map<PortKey, std::vector<PortMember>> ports;
  for (const char* set : {"members", "members6"}) {
    for (const auto& element : list_elements(listing, set)) {
      if (auto record = parse_record(element)) ports[record->first].push_back(record->second);
    }
  }
  return ports;
}

}  // namespace orchion::node::networks
