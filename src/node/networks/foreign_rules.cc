#include "node/networks/foreign_rules.h"

#include <algorithm>

#include <fmt/format.h>

namespace orchion::node::networks {
namespace {

// The text between the braces of `kind NAME { … }`, "" where there is none. `indent` is the block's own.
std::string_view block_of(std::string_view listing, std::string_view head, std::string_view indent) {
  const auto at = listing.find(fmt::format("{}{} {{", indent, head));
  if (at == std::string_view::npos) return {};
  const std::string_view rest = listing.substr(at);
  return rest.substr(0, rest.find(fmt::format("\n{}}}", indent)));
}

struct OwnRule {
  std::string text;
  std::string handle;
};

std::vector<OwnRule> own_rules(const Table& table, std::string_view listing) {
  const std::string tag = fmt::format("comment \"{}\"", table.name);
  constexpr std::string_view kHandle = " # handle ";
  std::vector<OwnRule> rules;
  while (!listing.empty()) {
    const auto end = std::min(listing.find('\n'), listing.size());
    std::string_view line = listing.substr(0, end);
    listing.remove_prefix(std::min(end + 1, listing.size()));
    const auto handle = line.rfind(kHandle);
    if (line.find(tag) == std::string_view::npos || handle == std::string_view::npos) continue;
    const auto start = std::min(line.find_first_not_of(" \t"), handle);
    rules.push_back(
        {std::string(line.substr(start, handle - start)), std::string(line.substr(handle + kHandle.size()))});
  }
  return rules;
}

std::vector<std::string> wanted_rules(const Table& table, const ForeignChain& chain, std::uint16_t resolver_port) {
  const auto rule = [&](const std::string& match) {
    return fmt::format("{} accept comment \"{}\"", match, table.name);
  };
  const std::string from_ours = fmt::format("iifname \"{}*\"", table.link_prefix);
  if (chain.name != "INPUT") {
    return {rule(from_ours), rule(fmt::format("oifname \"{}*\"", table.link_prefix)),
            rule(fmt::format("ct mark & 0x{0:08x} == 0x{0:08x}", kDistantMark))};
  }
  if (resolver_port == 0) return {};
  return {rule(fmt::format("{} udp dport {}", from_ours, resolver_port)),
          rule(fmt::format("{} tcp dport {}", from_ours, resolver_port))};
}

bool same(const std::vector<OwnRule>& present, const std::vector<std::string>& wanted) {
  if (present.size() != wanted.size()) return false;
  for (const auto& text : wanted) {
    const auto matches = [&](const OwnRule& rule) { return rule.text == text; };
    if (std::none_of(present.begin(), present.end(), matches)) return false;
  }
  return true;
}

}  // namespace

std::vector<ForeignChain> dropping_chains(std::string_view chains_listing) {
  std::vector<ForeignChain> chains;
  for (const char* table : {"ip filter", "ip6 filter"}) {
    const std::string_view filter = block_of(chains_listing, fmt::format("table {}", table), "");
    const auto drops = [&](std::string_view chain) {
      const auto block = block_of(filter, fmt::format("chain {}", chain), "\t");
      return block.find("policy drop") != std::string_view::npos;
    };
    if (!block_of(filter, "chain DOCKER-USER", "\t").empty()) {
      chains.push_back({table, "DOCKER-USER"});
    } else if (drops("FORWARD")) {
      chains.push_back({table, "FORWARD"});
    }
    if (drops("INPUT")) chains.push_back({table, "INPUT"});
  }
  return chains;
}

std::vector<ForeignChain> possible_chains() {
  std::vector<ForeignChain> chains;
  for (const char* table : {"ip filter", "ip6 filter"}) {
    for (const char* name : {"DOCKER-USER", "FORWARD", "INPUT"}) chains.push_back({table, name});
  }
  return chains;
}

std::string list_chain_text(const ForeignChain& chain) {
  return fmt::format("list chain {} {}\n", chain.table, chain.name);
}

std::string mend_chain_text(const Table& table, const ForeignChain& chain, std::string_view listing,
                            std::uint16_t resolver_port) {
  const auto wanted = wanted_rules(table, chain, resolver_port);
  if (same(own_rules(table, listing), wanted)) return "";
  std::string text = clean_chain_text(table, chain, listing);
  for (const auto& rule : wanted) text += fmt::format("insert rule {} {} {}\n", chain.table, chain.name, rule);
  return text;
}

std::string clean_chain_text(const Table& table, const ForeignChain& chain, std::string_view listing) {
  std::string text;
  for (const auto& rule : own_rules(table, listing)) {
    text += fmt::format("delete rule {} {} handle {}\n", chain.table, chain.name, rule.handle);
  }
  return text;
}

}  // namespace orchion::node::networks
