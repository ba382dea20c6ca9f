#pragma once

// Who is asked for by which name, in which network. Pure; the resolver reads it, the agent fills it.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::mesh::dns {

// One running task in one network.
struct Record {
  std::string task_uid;
  std::string network_uid;
  std::string address;  // IPv4
  std::string stack;
  std::string service;
  std::uint32_t slot = 0;
  std::vector<std::string> aliases;  // further names in this network
};

// What a query found.
struct Answer {
  bool authoritative = false;          // the name is ours; false: ask the host's resolvers
  bool exists = false;                 // authoritative only: false is NXDOMAIN
  std::vector<std::string> addresses;  // IPv4, in a stable order
};

class RecordTable {
 public:
  void put(Record record);
  void remove(const std::string& task_uid, const std::string& network_uid);
  void clear();

  // Which networks the container at this address belongs to. Empty: none of ours; refuse it. Local tasks are
  // known before they run.
  void put_local(std::string task_uid, std::string network_uid, std::string address, std::string stack);
  void remove_local(const std::string& task_uid);

  // A network of this machine: its gateway is what "host.docker.internal" means in it.
  void put_network(std::string network_uid, std::string gateway);
  void remove_network(const std::string& network_uid);

  // `name` without its final dot, in any case: "web", "web.shop", "web.shop.orchion.internal",
  // "tasks.web.shop.orchion.internal", "2.web.shop.orchion.internal", "tasks.web", an alias,
  // "host.docker.internal". Only addresses in networks that the asker shares are found. What has no stack in it is
  // looked for in the asker's own stack first, then among the services and aliases of the networks. A single label
  // that nobody has doesn't exist; it is never asked of others.
  Answer find(std::string_view asker_address, std::string_view name) const;
  bool knows(std::string_view asker_address) const;

  // "4.3.2.1.in-addr.arpa" lookups: the full name of the task there.
  std::optional<std::string> reverse(std::string_view asker_address, std::string_view address) const;

 private:
  using Key = std::pair<std::string, std::string>;  // task and network
  struct Local {
    std::string task_uid;
    std::string network_uid;
    std::string stack;
  };
  // Who asks: all networks of its task, and its stack.
  struct Asker {
    std::set<std::string, std::less<>> networks;
    std::string network_uid;  // the one it asks from
    std::string stack;
  };

  std::optional<Asker> asker_at(std::string_view address) const;
  std::vector<std::string> addresses(const Asker& asker, std::string_view indexed_name) const;

  std::map<Key, Record> records_;
  std::map<std::string, std::set<Key>, std::less<>> names_;      // as index_names() has them
  std::map<std::string, std::set<Key>, std::less<>> addresses_;  // of records_
  std::multimap<std::string, Local, std::less<>> locals_;        // by address
  std::map<std::string, std::set<std::string>> local_networks_;  // by task
  std::map<std::string, std::string> gateways_;                  // by network
};

}  // namespace orchion::mesh::dns
