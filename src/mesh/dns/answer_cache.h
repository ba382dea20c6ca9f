#pragma once

// Answers of the host's resolvers, kept for as long as they say. Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "mesh/dns/wire.h"

namespace orchion::mesh::dns {

// What makes two questions the same: the name in lower case, type, class, the bits RD, AD, CD and DO, and whether it
// has EDNS. nullopt: not plain (an option may make its answer one asker's own), so it is asked for itself alone.
std::optional<std::string> question_key(wire::View query);

// What an answer says of how long it holds: the least TTL of its records, and for a negative one its SOA's minimum too
// (RFC 2308), an hour at most. nullopt: not to be kept: a failure, cut short, negative without an SOA, zero, or broken.
struct Lifetime {
  std::chrono::seconds ttl{};
  std::chrono::seconds record_ttl_max{};  // longer ones are said as this
  std::vector<std::uint16_t> ttls_at;     // where in the message its TTLs are
};
std::optional<Lifetime> lifetime_of(wire::View reply);

// The addresses of the type that was asked for in the answer section of a successful reply, whatever aliases lead
// there, and how long they hold. Empty: another type, or none.
struct ForwardedAddresses {
  std::vector<std::string> addresses;
  std::chrono::seconds ttl{};
};
ForwardedAddresses addresses_in(wire::View reply);

// The question's name with dots, in lower case; bytes that a host's name doesn't have come as they are.
std::string question_name(wire::View message);

// Makes the reply to one question that to another with the same key: its id, and the name in its asker's own letters.
void readdress(Bytes& reply, wire::View query);

struct AnswerCacheOptions {
  std::size_t entries_max = 4096;
  std::size_t bytes_max = 4 << 20;  // of messages and what is kept with them
};

// The least recently used goes first. One executor; not thread-safe.
class AnswerCache {
 public:
  AnswerCache(base::Clock& clock, AnswerCacheOptions options) : clock_(clock), options_(options) {}

  // The answer to `query`, whose key it is, with TTLs as they are by now. nullopt: none, or longer than `bytes_max`.
  std::optional<Bytes> find(const std::string& key, wire::View query, std::size_t bytes_max);

  // Keeps the reply if it may be kept.
  void put(const std::string& key, const Bytes& reply);

  std::size_t entries() const { return by_key_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    Bytes reply;
    Lifetime lifetime;
    base::Time stored;
    std::size_t bytes() const;
  };
  using Entries = std::list<Entry>;

  void drop(Entries::iterator entry);

  base::Clock& clock_;
  const AnswerCacheOptions options_;
  Entries entries_;  // the most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace orchion::mesh::dns
