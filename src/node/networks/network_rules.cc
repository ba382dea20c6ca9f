#include "node/networks/network_rules.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "node/networks/addresses.h"
#include "node/networks/listing.h"

namespace orchion::node::networks {
namespace {

// within: who may talk to whom, as a pair of ranges. gateways: a range and the address by which its tasks have the
// machine, with the network's uid as a comment, by which the next process knows it. closed: internal networks.
constexpr std::string_view kSets = R"(
add set inet {0} within {{ type ipv4_addr . ipv4_addr; flags interval; }}
add set inet {0} within6 {{ type ipv6_addr . ipv6_addr; flags interval; }}
add set inet {0} gateways {{ type ipv4_addr . ipv4_addr; flags interval; }}
add set inet {0} gateways6 {{ type ipv6_addr . ipv6_addr; flags interval; }}
add set inet {0} closed {{ type ipv4_addr; flags interval; }}
add set inet {0} closed6 {{ type ipv6_addr; flags interval; }}
add set inet {0} subnets {{ type ipv4_addr; flags interval; }}
add set inet {0} subnets6 {{ type ipv6_addr; flags interval; }}
add map inet {0} virtual {{ type ipv4_addr : verdict; }}
add map inet {0} virtual6 {{ type ipv6_addr : verdict; }}
)";

// Set, element, comment.
using Element = std::tuple<std::string, std::string, std::string>;

void add_family(std::vector<Element>& out, const std::string& family, const std::string& uid, const std::string& subnet,
                const std::string& gateway, bool internal) {
  if (subnet.empty()) return;
  out.emplace_back("within" + family, subnet + " . " + subnet, "");
  out.emplace_back("gateways" + family, subnet + " . " + gateway, uid);
  out.emplace_back("subnets" + family, subnet, "");
  if (internal) out.emplace_back("closed" + family, subnet, "");
}

// By set and element: two networks that share one name it once.
std::map<std::pair<std::string, std::string>, std::string> elements_of(const NetworkRulesByUid& networks) {
  std::vector<Element> all;
  for (const auto& [uid, network] : networks) {
    add_family(all, "", uid, network.subnet, network.gateway, network.internal);
    add_family(all, "6", uid, network.subnet6, network.gateway6, network.internal);
  }
  std::map<std::pair<std::string, std::string>, std::string> result;
  for (auto& [set, element, comment] : all) result.try_emplace({set, element}, comment);
  return result;
}

bool is_v6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

// Letters and digits alone, the same for each way to write the address.
std::string chain_of(const std::string& address) {
  if (!is_v6(address)) {
    std::string name = "virtual_" + address;
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  }
  std::string name = "virtual6_";
  const auto parsed = parse_ipv6(address);
  for (const auto byte : parsed.value_or(Ipv6{}).bytes) name += fmt::format("{:02x}", byte);
  return name;
}

std::string map_of(const std::string& address) {
  return is_v6(address) ? "virtual6" : "virtual";
}

std::string target_of(const std::vector<std::string>& members) {
  if (members.size() == 1) return members.front();
  std::string choices;
  for (std::size_t i = 0; i < members.size(); ++i)
    choices += fmt::format("{}{} : {}", i == 0 ? "" : ", ", i, members[i]);
  return fmt::format("numgen inc mod {} map {{ {} }}", members.size(), choices);
}

std::string put_virtual_text(const Table& table, const std::string& address, const std::vector<std::string>& members) {
  const std::string chain = chain_of(address);
  std::string text = fmt::format("add chain inet {0} {1}\nflush chain inet {0} {1}\n", table.name, chain);
  if (!members.empty())
    text += fmt::format("add rule inet {} {} dnat {} to {}\n", table.name, chain, is_v6(address) ? "ip6" : "ip",
                        target_of(members));
  return text + fmt::format("add element inet {} {} {{ {} : goto {} }}\n", table.name, map_of(address), address, chain);
}

}  // namespace

std::string network_sets_text(const Table& table) {
  return fmt::format(fmt::runtime(kSets), table.name);
}

std::string change_networks_text(const Table& table, const NetworkRulesByUid& before, const NetworkRulesByUid& after) {
  const auto present = elements_of(before);
  const auto wanted = elements_of(after);
  std::string text;
  for (const auto& [key, comment] : present) {
    const auto stays = wanted.find(key);
    if (stays == wanted.end() || stays->second != comment)
      text += fmt::format("delete element inet {} {} {{ {} }}\n", table.name, key.first, key.second);
  }
  for (const auto& [key, comment] : wanted) {
    const auto known = present.find(key);
    if (known != present.end() && known->second == comment) continue;
    const std::string note = comment.empty() ? "" : fmt::format(" comment \"{}\"", comment);
    text += fmt::format("add element inet {} {} {{ {}{} }}\n", table.name, key.first, key.second, note);
  }
  return text;
}

NetworkRulesByUid parse_networks(std::string_view listing) {
  NetworkRulesByUid networks;
  const auto is_in = [&](const std::vector<ListedElement>& elements, const std::string& wanted) {
    return std::any_of(elements.begin(), elements.end(), [&](const auto& each) { return each.value == wanted; });
  };
  for (const char* family : {"", "6"}) {
    const auto closed = list_elements(listing, std::string("closed") + family);
    for (const auto& element : list_elements(listing, std::string("gateways") + family)) {
      const auto dot = element.value.find(" . ");
      if (dot == std::string::npos || element.comment.empty()) continue;
      auto& network = networks[element.comment];
      const bool is_v6 = *family != 0;
      (is_v6 ? network.subnet6 : network.subnet) = element.value.substr(0, dot);
      (is_v6 ? network.gateway6 : network.gateway) = element.value.substr(dot + 3);
      network.internal = network.internal || is_in(closed, element.value.substr(0, dot));
    }
  }
  return networks;
}

std::string change_virtual_text(const Table& table, const VirtualAddresses& before, const VirtualAddresses& after) {
  std::string text;
  for (const auto& [address, members] : before) {
    if (after.contains(address)) continue;
    text += fmt::format("delete element inet {0} {1} {{ {2} }}\nflush chain inet {0} {3}\ndelete chain inet {0} {3}\n",
                        table.name, map_of(address), address, chain_of(address));
  }
  for (const auto& [address, members] : after) {
    const auto known = before.find(address);
    if (known == before.end() || known->second != members) text += put_virtual_text(table, address, members);
  }
  return text;
}

std::string replace_virtual_text(const Table& table, std::string_view listing, const VirtualAddresses& after) {
  std::string text = fmt::format("flush map inet {0} virtual\nflush map inet {0} virtual6\n", table.name);
  for (const auto& chain : list_chains(listing, "virtual"))
    text += fmt::format("flush chain inet {0} {1}\ndelete chain inet {0} {1}\n", table.name, chain);
  return text + change_virtual_text(table, {}, after);
}

}  // namespace orchion::node::networks
