#pragma once

// One task's links: from its namespace straight to the machine, which routes. Each task has its addresses to itself,
// and the network's gateway is the machine, at the other end of every link.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "node/networks/addresses.h"
#include "node/networks/links.h"

namespace orchion::node::networks {

// A network in one family: whose tasks reach each other through the gateway.
template <class Address>
struct LegAddress {
  Address address;
  Address gateway;
  Address subnet;
  int prefix_length = 0;
};

struct Leg {
  enum class Kind {
    kRouted,
    kMacvlan,  // on the network of `parent`, whose gateway is a router there; IPv4 alone
    kNames,    // to the machine, which has v4.gateway, by the address of a macvlan leg; to nowhere else
  };
  Kind kind = Kind::kRouted;
  std::string host_link;  // kMacvlan: none
  std::string task_link;  // in the namespace: "eth0", …
  std::string parent;     // kMacvlan: the machine's interface
  LegAddress<Ipv4> v4;
  std::optional<LegAddress<Ipv6>> v6;
  bool way_out = false;  // the default route goes through the first leg that has one
  int mtu = 0;           // 0: as it is
};

// Makes the namespace at `path` and its links, or completes what is there. Blocks.
base::Result<> wire_task(const std::filesystem::path& path, const std::vector<Leg>& legs);

// Takes a task's own ends out of the namespace at `path`: what has none on the machine is then gone from the network
// too, and its hardware address free. No error where there is no namespace. Blocks.
base::Result<> unwire_task(const std::filesystem::path& path);

// Lets the machine pass packets on. Interfaces that learn their IPv6 routes from routers go on doing so, which the
// kernel would end with forwarding.
base::Result<> forward_ipv4();
base::Result<> forward_ipv6();

// Several requests in one system call; which of them failed is said by the words given with it.
class NetlinkSteps {
 public:
  void add(NetlinkRequest request, std::string action);
  void add_optional(NetlinkRequest request) { add(std::move(request), ""); }
  base::Result<> run(NetlinkSocket& socket);

 private:
  std::vector<NetlinkRequest> requests_;
  std::vector<std::string> actions_;
};

// False where there is no such link.
base::Result<bool> delete_if_there(NetlinkSocket& socket, const std::string& link);

// A link's removal waits for all processors, some 20 ms. Marked first, any number are removed in one such wait.
base::Result<bool> mark_if_there(NetlinkSocket& socket, const std::string& link, std::uint32_t removal_group);
base::Result<> delete_marked(std::uint32_t removal_group);

}  // namespace orchion::node::networks
