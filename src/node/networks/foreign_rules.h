#pragma once

// Where another firewall on the machine drops what it doesn't know. A packet must pass every table that sees it, so
// accepting it in ours is not enough. Docker sets FORWARD to drop, which kills what two containers say to each other;
// ufw does so with INPUT, and queries to our resolver die there. Pure: listings in, commands out. Only tables of
// iptables-nft can be seen and mended so.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/networks/ruleset.h"

namespace orchion::node::networks {

struct ForeignChain {
  std::string table;  // "ip filter", "ip6 filter"
  std::string name;

  bool operator==(const ForeignChain&) const = default;
};

// The chains of the filter tables that would drop our packets, from `list chains`: DOCKER-USER where there is one
// (Docker never flushes it), else FORWARD where its policy is drop; and INPUT where its policy is drop.
std::vector<ForeignChain> dropping_chains(std::string_view chains_listing);

// Every chain that dropping_chains() could ever have named.
std::vector<ForeignChain> possible_chains();

std::string list_chain_text(const ForeignChain& chain);

// Commands that make our rules in `chain` what they should be, each with the table's name as its comment; empty where
// they already are. `listing` is of that chain, with handles.
std::string mend_chain_text(const Table& table, const ForeignChain& chain, std::string_view listing,
                            std::uint16_t resolver_port);

// Commands that remove our rules.
std::string clean_chain_text(const Table& table, const ForeignChain& chain, std::string_view listing);

}  // namespace orchion::node::networks
