#include "node/networks/policy_rules.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/fingerprint.h"

namespace orchion::node::networks {
namespace {

constexpr std::string_view kBase = R"(
add table inet {0}
add map inet {0} policy_in {{ type ipv4_addr : verdict; }}
add map inet {0} policy_in6 {{ type ipv6_addr : verdict; }}
add map inet {0} policy_out {{ type ipv4_addr : verdict; }}
add map inet {0} policy_out6 {{ type ipv6_addr : verdict; }}
add set inet {0} policy_self {{ type ipv4_addr . ipv4_addr; }}
add set inet {0} policy_self6 {{ type ipv6_addr . ipv6_addr; }}
add chain inet {0} {1}
flush chain inet {0} {1}
add rule inet {0} {1} ip saddr . ip daddr @policy_self return
add rule inet {0} {1} ip6 saddr . ip6 daddr @policy_self6 return
add rule inet {0} {1} ip saddr vmap @policy_out
add rule inet {0} {1} ip6 saddr vmap @policy_out6
add rule inet {0} {1} ip daddr vmap @policy_in
add rule inet {0} {1} ip6 daddr vmap @policy_in6
)";

constexpr std::size_t kHashDigits = 16;
constexpr std::string_view kMaps[] = {"policy_in", "policy_in6", "policy_out", "policy_out6"};
constexpr std::string_view kSelves[] = {"policy_self",
                                        "policy_self6"};  // a task may reach itself, by its service's name

using Elements = std::map<std::string, std::set<std::string>>;  // by the set's, or map's, name

bool is_v6(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

std::string chain_of(const std::string& group, bool egress) {
  return fmt::format("{}_{}", egress ? "out" : "in", core::fnv1a_128(group).substr(0, kHashDigits));
}

std::string set_of(const std::string& chain, std::size_t index, bool v6) {
  return fmt::format("{}_{}{}", chain, index, v6 ? "_6" : "");
}

// --- the rules of a chain ---

// Tasks and learned names have a set each, also while there are none.
bool has_sets(const PolicyAllow& allow) {
  return !allow.anybody && (allow.ranges.empty() || !allow.addresses.empty());
}

std::vector<std::string> of_family(const std::vector<std::string>& texts, bool v6) {
  std::vector<std::string> out;
  for (const auto& text : texts)
    if (is_v6(text) == v6) out.push_back(text);
  return out;
}

bool is_everything(const std::vector<std::string>& ranges) {
  return std::ranges::any_of(ranges, [](const std::string& range) { return range.ends_with("/0"); });
}

// "" where no range is of that family.
std::string match_ranges(const PolicyAllow& allow, std::string_view side, bool v6) {
  const auto ranges = of_family(allow.ranges, v6), except = of_family(allow.except, v6);
  if (ranges.empty()) return "";
  const std::string_view family = v6 ? "ip6" : "ip";
  std::string text = is_everything(ranges) ? fmt::format("meta nfproto {}", v6 ? "ipv6" : "ipv4")
                                           : fmt::format("{} {} {{ {} }}", family, side, fmt::join(ranges, ", "));
  if (!except.empty()) text += fmt::format(" {} {} != {{ {} }}", family, side, fmt::join(except, ", "));
  return text;
}

std::vector<std::string> whom(const PolicyAllow& allow, const std::string& chain, std::size_t index, bool egress) {
  if (allow.anybody) return {""};
  const std::string_view side = egress ? "daddr" : "saddr";
  std::vector<std::string> out;
  if (has_sets(allow)) {
    out.push_back(fmt::format("ip {} @{} ", side, set_of(chain, index, false)));
    out.push_back(fmt::format("ip6 {} @{} ", side, set_of(chain, index, true)));
  }
  for (const bool v6 : {false, true})
    if (const auto match = match_ranges(allow, side, v6); !match.empty()) out.push_back(match + " ");
  return out;
}

// Ranges of ports that neither overlap nor touch: nftables refuses the former.
std::vector<std::string> merged(std::vector<std::pair<int, int>> ranges) {
  std::ranges::sort(ranges);
  std::vector<std::pair<int, int>> apart;
  for (const auto& range : ranges) {
    if (!apart.empty() && range.first <= apart.back().second + 1)
      apart.back().second = std::max(apart.back().second, range.second);
    else
      apart.push_back(range);
  }
  std::vector<std::string> out;
  for (const auto& [first, last] : apart)
    out.push_back(first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last));
  return out;
}

std::vector<std::string> at_ports(const PolicyAllow& allow) {
  const auto any = [](const PolicyPorts& ports) { return !ports.tcp && !ports.udp; };
  if (allow.ports.empty() || std::ranges::any_of(allow.ports, any)) return {""};
  std::vector<std::string> out;
  for (const bool udp : {false, true}) {
    std::vector<std::pair<int, int>> ranges;
    for (const auto& ports : allow.ports)
      if (udp ? ports.udp : ports.tcp) ranges.emplace_back(ports.first, std::max(ports.first, ports.last));
    if (!ranges.empty())
      out.push_back(fmt::format("{} dport {{ {} }} ", udp ? "udp" : "tcp", fmt::join(merged(std::move(ranges)), ", ")));
  }
  return out;
}

// Everything but the elements of sets. A program learns of its refusal at once: by a reset over TCP, because a
// connection that is just being made, on this very processor, takes an ICMP error for a hint and tries again for a
// second.
std::string rules_of(const Table& table, const std::string& chain, const PolicyGroup& group) {
  std::string text;
  for (std::size_t i = 0; i < group.allows.size(); ++i)
    for (const auto& who : whom(group.allows[i], chain, i, group.egress))
      for (const auto& where : at_ports(group.allows[i]))
        text += fmt::format("add rule inet {} {} {}{}return\n", table.name, chain, who, where);
  return text + fmt::format(
                    "add rule inet {0} {1} meta l4proto tcp reject with tcp reset\n"
                    "add rule inet {0} {1} reject with icmpx admin-prohibited\n",
                    table.name, chain);
}

// --- what sets and maps hold ---

Elements sets_of(const std::string& chain, const PolicyGroup& group) {
  Elements sets;
  for (std::size_t i = 0; i < group.allows.size(); ++i) {
    if (!has_sets(group.allows[i])) continue;
    for (const bool v6 : {false, true}) {
      auto& set = sets[set_of(chain, i, v6)];
      for (auto& address : of_family(group.allows[i].addresses, v6)) set.insert(std::move(address));
    }
  }
  return sets;
}

Elements led_by(const Policies& policies) {
  Elements maps;
  for (const auto& [uid, task] : policies.tasks)
    for (const auto& address : task.addresses)
      maps[is_v6(address) ? "policy_self6" : "policy_self"].insert(fmt::format("{0} . {0}", address));
  for (const auto& [uid, task] : policies.tasks)
    for (const bool egress : {false, true}) {
      const auto& group = egress ? task.egress : task.ingress;
      if (!group) continue;
      for (const auto& address : task.addresses)
        maps[fmt::format("policy_{}{}", egress ? "out" : "in", is_v6(address) ? "6" : "")].insert(
            fmt::format("{} : jump {}", address, chain_of(*group, egress)));
    }
  return maps;
}

// Of a map's element the key alone is what is taken away.
std::string key_of(const std::string& element) {
  return element.substr(0, element.find(" : "));
}

const std::set<std::string>& find_or_none(const Elements& elements, const std::string& name) {
  static const std::set<std::string> none;
  const auto found = elements.find(name);
  return found == elements.end() ? none : found->second;
}

std::string change_elements(const Table& table, const std::string& name, const std::set<std::string>& before,
                            const std::set<std::string>& after) {
  std::vector<std::string> gone, come;
  for (const auto& element : before)
    if (!after.contains(element)) gone.push_back(key_of(element));
  for (const auto& element : after)
    if (!before.contains(element)) come.push_back(element);
  std::string text;
  if (!gone.empty())
    text += fmt::format("delete element inet {} {} {{ {} }}\n", table.name, name, fmt::join(gone, ", "));
  if (!come.empty()) text += fmt::format("add element inet {} {} {{ {} }}\n", table.name, name, fmt::join(come, ", "));
  return text;
}

std::string type_of(const std::string& set) {
  return set.ends_with("_6") ? "ipv6_addr" : "ipv4_addr";
}

// --- from one to the other ---

// In the order in which nftables can do it: what is referred to comes first and goes last.
struct Parts {
  std::string made;    // chains, sets, their elements
  std::string rules;   // of chains
  std::string led;     // which address leads where
  std::string unmade;  // what nothing refers to any more

  std::string text() const { return made + rules + led + unmade; }
};

void change_group(const Table& table, const std::string& name, const PolicyGroup* before, const PolicyGroup* after,
                  Parts& parts) {
  const std::string chain = chain_of(name, (after != nullptr ? after : before)->egress);
  const Elements held = before != nullptr ? sets_of(chain, *before) : Elements();
  const Elements wanted = after != nullptr ? sets_of(chain, *after) : Elements();
  if (before == nullptr) parts.made += fmt::format("add chain inet {} {}\n", table.name, chain);
  for (const auto& [set, elements] : wanted) {
    if (!held.contains(set))
      parts.made += fmt::format("add set inet {} {} {{ type {}; }}\n", table.name, set, type_of(set));
    parts.made += change_elements(table, set, find_or_none(held, set), elements);
  }
  const std::string old_rules = before != nullptr ? rules_of(table, chain, *before) : "";
  const std::string new_rules = after != nullptr ? rules_of(table, chain, *after) : "";
  const std::string flush = fmt::format("flush chain inet {} {}\n", table.name, chain);
  if (after != nullptr && old_rules != new_rules) parts.rules += flush + new_rules;
  if (after == nullptr) parts.unmade += flush;
  for (const auto& [set, elements] : held)
    if (!wanted.contains(set)) parts.unmade += fmt::format("delete set inet {} {}\n", table.name, set);
  if (after == nullptr) parts.unmade += fmt::format("delete chain inet {} {}\n", table.name, chain);
}

Parts change(const Table& table, const Policies& before, const Policies& after) {
  Parts parts;
  for (const auto& [name, group] : after.groups) {
    const auto old = before.groups.find(name);
    if (old == before.groups.end())
      change_group(table, name, nullptr, &group, parts);
    else if (!(old->second == group))
      change_group(table, name, &old->second, &group, parts);
  }
  for (const auto& [name, group] : before.groups)
    if (!after.groups.contains(name)) change_group(table, name, &group, nullptr, parts);
  const Elements led = led_by(before), leads = led_by(after);
  const auto lead = [&](std::string_view name) {
    const std::string own(name);
    parts.led += change_elements(table, own, find_or_none(led, own), find_or_none(leads, own));
  };
  std::ranges::for_each(kMaps, lead);
  std::ranges::for_each(kSelves, lead);
  return parts;
}

bool is_ours(std::string_view name) {
  for (const std::string_view prefix : {"in_", "out_"}) {
    if (!name.starts_with(prefix) || name.size() < prefix.size() + kHashDigits) continue;
    return name.substr(prefix.size(), kHashDigits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
  }
  return false;
}

// "\tset NAME {": the NAME; "" of another line.
std::string_view name_in(std::string_view line, std::string_view keyword) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin);
  if (!line.starts_with(keyword)) return {};
  line.remove_prefix(keyword.size());
  return line.substr(0, line.find(' '));
}

}  // namespace

std::string policies_base_text(const Table& table) {
  return fmt::format(fmt::runtime(kBase), table.name, kPoliciesChain);
}

std::string policies_text(const Table& table, const Policies& before, const Policies& after) {
  return change(table, before, after).text();
}

PolicyLeftovers parse_policies(std::string_view listing) {
  PolicyLeftovers leftovers;
  while (!listing.empty()) {
    const auto end = listing.find('\n');
    const auto line = listing.substr(0, end);
    listing.remove_prefix(end == std::string_view::npos ? listing.size() : end + 1);
    if (const auto name = name_in(line, "chain "); is_ours(name)) leftovers.chains.emplace_back(name);
    if (const auto name = name_in(line, "set "); is_ours(name)) leftovers.sets.emplace_back(name);
  }
  return leftovers;
}

std::string policies_anew_text(const Table& table, const PolicyLeftovers& leftovers, const Policies& after) {
  std::set<std::string> chains;
  Elements sets;
  for (const auto& [name, group] : after.groups) {
    const auto chain = chain_of(name, group.egress);
    chains.insert(chain);
    sets.merge(sets_of(chain, group));
  }
  Parts parts = change(table, {}, after);
  std::string text;
  for (const auto map : kMaps) text += fmt::format("flush map inet {} {}\n", table.name, map);
  for (const auto set : kSelves) text += fmt::format("flush set inet {} {}\n", table.name, set);
  for (const auto& chain : leftovers.chains) text += fmt::format("flush chain inet {} {}\n", table.name, chain);
  for (const auto& set : leftovers.sets)
    text += fmt::format("{} set inet {} {}\n", sets.contains(set) ? "flush" : "delete", table.name, set);
  for (const auto& chain : leftovers.chains)
    if (!chains.contains(chain)) text += fmt::format("delete chain inet {} {}\n", table.name, chain);
  return text + parts.text();
}

}  // namespace orchion::node::networks
