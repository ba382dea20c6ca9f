#pragma once

// Who is asked for by which name, in which network. Pure; the resolver reads it, the agent fills it.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace orchion::mesh::dns {

using Address = boost::asio::ip::address;

// One running task in one network. Names lead to it from put() to remove(): only what serves is put.
struct Record {
  std::string task_uid;
  std::string network_uid;
  std::string address;  // IPv4
  std::string stack;
  std::string service;
  std::uint32_t slot = 0;
  std::vector<std::string> aliases = {};  // further names of its service in this network
  std::string address6 = {};              // empty: no IPv6
  std::string virtual_address = {};       // of its service in this network; empty: it has none
  std::string virtual_address6 = {};
  bool of_run = false;  // of a job, which has no virtual address
};

// A task of this machine in one of its networks. Empty: it has no such address.
struct LocalTask {
  std::string task_uid;
  std::string network_uid;
  std::string address;
  std::string stack;
  std::string address6 = {};
};

// A network of this machine: its gateway is what "host.docker.internal" means in it. Empty: none, or not known.
struct NetworkRange {
  std::string gateway;
  std::string gateway6 = {};
  std::string subnet = {};  // "10.0.0.0/24"; what is asked about its addresses stays here
  std::string subnet6 = {};
};

// What a query found.
struct Answer {
  bool authoritative = false;      // the name is ours; false: ask the host's resolvers
  bool exists = false;             // authoritative only: false is NXDOMAIN
  std::vector<Address> addresses;  // IPv4 before IPv6, each once, in a stable order
};

// What listens behind a name: one for each task.
struct ServiceAnswer {
  struct Target {
    std::string name;  // "2.web.shop.orchion.internal"
    std::uint16_t port = 0;
    std::vector<Address> addresses;  // of the task
  };
  bool authoritative = false;
  bool exists = false;
  std::vector<Target> targets;  // by name, then port
};

// Whose address it is.
struct ReverseAnswer {
  bool authoritative = false;  // false: ask the host's resolvers
  std::string name;            // empty: nobody's that the asker may know
};

// Ours is what ends so, by itself or as a label of its own. In lower case.
inline constexpr std::string_view kDomain = "orchion.internal";
bool in_domain(std::string_view name);

// Changed and asked on one executor; not thread-safe.
class RecordTable {
 public:
  RecordTable() = default;
  RecordTable(RecordTable&&) = default;
  RecordTable& operator=(RecordTable&&) = default;

  void put(Record record);
  void remove(const std::string& task_uid, const std::string& network_uid);
  void clear();

  // Which networks the container at these addresses belongs to. Local tasks are known before they run.
  void put_local(LocalTask local);
  void remove_local(const std::string& task_uid);

  void put_network(std::string network_uid, NetworkRange range);
  void remove_network(const std::string& network_uid);

  // Whether a container of ours asks from there; else refuse it.
  bool knows(const Address& asker) const { return askers_.contains(asker); }

  // `name` in lower case, without its final dot. Only what is in networks that the asker shares is found.
  //
  //   web  web.shop  web.shop.orchion.internal    the service's virtual address in each of those networks; where it has
  //                                               none, its tasks' addresses
  //   www  www.shop  www.shop.orchion.internal    the same by an alias; the longer ones only for one without dots
  //   tasks.web  tasks.web.shop  …                its tasks' addresses in any case
  //   2.web  2.web.shop  …                        one task's
  //   host.docker.internal                        the gateway of the network that is asked from
  //
  // What has no stack in it is looked for in the asker's own stack first, then among the services and aliases of the
  // networks. A single label that nobody has doesn't exist; it is never asked of others.
  Answer find(const Address& asker, std::string_view name) const;

  // The same names with "_8080._tcp." before them: that port of every task. Names of ports aren't known:
  // "_http._tcp.web" doesn't exist. Without a port a name that exists has no targets.
  ServiceAnswer find_services(const Address& asker, std::string_view name) const;

  // The full name of the task, the service or the gateway that has this address.
  ReverseAnswer reverse(const Address& asker, const Address& address) const;

 private:
  using Key = std::pair<std::string, std::string>;  // task and network
  struct Entry {
    Record record;
    std::vector<Address> own;         // of the task
    std::vector<Address> of_service;  // where its service's name leads for this task's sake
  };

  // Where a name leads in one network.
  struct Group {
    std::string network_uid;
    std::vector<std::pair<Address, std::size_t>> addresses;  // sorted; how many entries lead there
    std::vector<const Entry*> entries;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Index = std::unordered_map<std::string, std::vector<Group>, TextHash, std::equal_to<>>;

  // One name of an entry.
  struct Name {
    Index RecordTable::* index;
    std::string text;
    bool leads_to_task;  // rather than to its service
  };

  // Who asks: a task in one of its networks.
  struct LocalTasks {
    std::string stack;
    std::set<std::string, std::less<>> networks;
  };
  struct Asker {
    std::string task_uid;
    std::string network_uid;   // the one it asks from
    const LocalTasks* task{};  // in locals_
  };
  struct Found {
    bool authoritative = false;
    std::vector<const Group*> groups;  // empty: no such name
  };

  static std::vector<Name> names_of(const Record& record);
  static void add(Index& index, const Name& name, const Entry& entry);
  static void take(Index& index, const Name& name, const Entry& entry);
  const Asker* asker_at(const Address& address) const;
  Found lookup(const Asker& asker, std::string_view name) const;
  Answer find_host(const Asker& asker) const;
  std::string name_at(const Entry& entry, const Address& address) const;
  bool in_subnet(const Address& address) const;

  std::map<Key, Entry> records_;
  Index in_stack_;                                          // "web.shop", "tasks.web.shop", "2.web.shop"
  Index alias_in_stack_;                                    // "www.shop"
  Index in_network_;                                        // "web", "www": what only the network's members know
  std::unordered_map<Address, std::set<Key>> addresses_;    // of tasks and of services
  std::map<std::string, LocalTasks> locals_;                // by task
  std::unordered_map<Address, std::vector<Asker>> askers_;  // the last is who has the address now
  std::map<std::string, NetworkRange> networks_;
};

}  // namespace orchion::mesh::dns
