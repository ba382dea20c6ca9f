#include "node/networks/ruleset.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace orchion::node::networks {
namespace {

// {0} the table, {1} our bridges, {2} leading queries to the resolver, {3} letting internal networks' queries in.
//
// guard: route_localnet, which published ports on 127.0.0.1 need, must not open the host's loopback to containers.
// Before connection tracking, where answers to translated connections still carry the bridge's address.
//
// postrouting: a container that comes in by a published port, perhaps its own, would be answered directly and not
// recognise it; and 127.0.0.1 means nothing to a container. All other clients keep their address.
//
// forward: containers of one network reach each other; others, on this machine or elsewhere, only what is published.
constexpr std::string_view kTable = R"(
add table inet {0}
add set inet {0} same {{ type ifname . ifname; }}
add set inet {0} internal {{ type ifname; }}
add map inet {0} published {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map inet {0} published_on {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add chain inet {0} guard {{ type filter hook prerouting priority raw; policy accept; }}
add chain inet {0} prerouting {{ type nat hook prerouting priority dstnat; policy accept; }}
add chain inet {0} output {{ type nat hook output priority -100; policy accept; }}
add chain inet {0} postrouting {{ type nat hook postrouting priority srcnat; policy accept; }}
add chain inet {0} forward {{ type filter hook forward priority filter; policy accept; }}
add chain inet {0} input {{ type filter hook input priority filter; policy accept; }}
add chain inet {0} resolver
add chain inet {0} publish
add chain inet {0} from_internal
flush table inet {0}
table inet {0} {{
  chain guard {{
    iifname "{1}*" ip daddr 127.0.0.0/8 drop
  }}
  chain resolver {{
    {2}
  }}
  chain publish {{
    dnat ip to ip daddr . meta l4proto . th dport map @published_on
    dnat ip to meta l4proto . th dport map @published
  }}
  chain prerouting {{
    iifname "{1}*" fib daddr . iif type local meta l4proto {{ tcp, udp }} jump resolver
    fib daddr type local meta l4proto {{ tcp, udp }} jump publish
  }}
  chain output {{
    fib daddr type local meta l4proto {{ tcp, udp }} jump publish
  }}
  chain postrouting {{
    iifname "{1}*" ct status dnat masquerade
    ip saddr 127.0.0.0/8 oifname "{1}*" masquerade
    iifname "{1}*" oifname != "{1}*" masquerade
  }}
  chain forward {{
    iifname . oifname @same accept
    iifname @internal drop
    oifname @internal drop
    oifname "{1}*" ct state established,related accept
    oifname "{1}*" ct status dnat accept
    oifname "{1}*" drop
  }}
  chain from_internal {{
    ct state established,related accept
    {3}
    fib daddr . iif type local ip protocol icmp accept
    drop
  }}
  chain input {{
    iifname @internal jump from_internal
  }}
}}
)";

std::string element_key(const PortElement& port) {
  const std::string_view protocol = port.udp ? "udp" : "tcp";
  if (port.host_ip.empty()) return fmt::format("{} . {}", protocol, port.host_port);
  return fmt::format("{} . {} . {}", port.host_ip, protocol, port.host_port);
}

std::string_view map_of(const PortElement& port) { return port.host_ip.empty() ? "published" : "published_on"; }

// Takes what stands before `end` off the front of `text`, without the spaces around it.
std::string_view take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
  const auto first = taken.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return taken.substr(first, taken.find_last_not_of(" \t\n") - first + 1);
}

bool take_number(std::string_view text, std::uint16_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// `6 . 8080 comment "uid" : 10.0.0.2 . 80`, with an address in front in the map for single addresses.
std::optional<PortElement> parse_element(std::string_view text) {
  PortElement port;
  std::string_view key = take_until(text, " comment \"");
  port.task_uid = take_until(text, "\"");
  take_until(text, ":");
  port.address = take_until(text, " . ");
  if (!take_number(take_until(text, ","), port.container_port) || port.task_uid.empty()) return std::nullopt;
  if (key.find('.') != key.find(" . ") + 1) port.host_ip = take_until(key, " . ");
  const std::string_view protocol = take_until(key, " . ");
  if (protocol != "6" && protocol != "17") return std::nullopt;
  port.udp = protocol == "17";
  if (!take_number(take_until(key, " "), port.host_port)) return std::nullopt;
  return port;
}

}  // namespace

std::string table_text(const Table& table, std::uint16_t resolver_port) {
  std::string lead;
  std::string admit;
  if (resolver_port != 0) {
    lead = fmt::format("meta l4proto {{ tcp, udp }} th dport 53 redirect to :{}", resolver_port);
    admit = fmt::format("ct status dnat meta l4proto {{ tcp, udp }} th dport {} accept", resolver_port);
  }
  return fmt::format(fmt::runtime(kTable), table.name, table.bridge_prefix, lead, admit);
}

std::string add_bridge_text(const Table& table, const std::string& bridge, bool internal) {
  std::string text = fmt::format("add element inet {0} same {{ \"{1}\" . \"{1}\" }}\n", table.name, bridge);
  text += fmt::format("add element inet {} internal {{ \"{}\" }}\n", table.name, bridge);
  if (!internal) text += fmt::format("delete element inet {} internal {{ \"{}\" }}\n", table.name, bridge);
  return text;
}

std::string remove_bridge_text(const Table& table, const std::string& bridge) {
  std::string text = add_bridge_text(table, bridge, false);
  return text + fmt::format("delete element inet {0} same {{ \"{1}\" . \"{1}\" }}\n", table.name, bridge);
}

std::string add_ports_text(const Table& table, const std::vector<PortElement>& ports) {
  std::string text;
  for (const auto& port : ports) {
    text += fmt::format("add element inet {} {} {{ {} comment \"{}\" : {} . {} }}\n", table.name, map_of(port),
                        element_key(port), port.task_uid, port.address, port.container_port);
  }
  return text;
}

std::string remove_ports_text(const Table& table, const std::vector<PortElement>& ports) {
  std::string text;
  for (const auto& port : ports) {
    text += fmt::format("delete element inet {} {} {{ {} }}\n", table.name, map_of(port), element_key(port));
  }
  return text;
}

std::vector<PortElement> parse_ports(std::string_view listing) {
  std::vector<PortElement> ports;
  while (!listing.empty()) {
    std::string_view map = take_until(listing, "\n\t}");
    if (map.find("map published") == std::string_view::npos) continue;
    take_until(map, "elements = {");
    std::string_view elements = take_until(map, "}");
    while (!elements.empty()) {
      if (auto port = parse_element(take_until(elements, ","))) ports.push_back(std::move(*port));
    }
  }
  return ports;
}

}  // namespace orchion::node::networks
