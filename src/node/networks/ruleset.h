#pragma once

// Our nftables table as text for libnftables. Pure. The rules never change with the number of networks and tasks:
// those are elements of sets and maps, so that each packet and each change costs the
// same with one task or thousands. A published port is an element that leads to a small chain of its own, whose one
// rule goes round the port's tasks.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::node::networks {

// What every text here is about.
struct Table {
  std::string name;
  std::string link_prefix;  // every link that begins so is ours
  std::string task_prefix;  // those of them that lead to tasks
  std::string overlay;      // the one that leads to other machines
  std::string tunnel;       // and the one that carries it encrypted
  bool apart = false;       // in a namespace apart from the machine's: see kRangeApart
};

// A port of this machine that is published: `host_ip` empty stands for every IPv4 address, "::" for every IPv6 one.
struct PortKey {
  std::string host_ip;
  bool udp = false;
  std::uint16_t port = 0;

  auto operator<=>(const PortKey&) const = default;
};

inline constexpr const char* kEveryIpv6 = "::";

bool is_ipv6(const PortKey& key);

// Where networks are apart from the machine's: the range between the two, of those that documentation has to itself;
// who has the machine's clients for its own address, on the way to its loopback; what stands for the machine's
// addresses in the namespace, and for its 127.0.0.1.
inline constexpr const char* kRangeApart = "203.0.113.0/24";
inline constexpr const char* kUplinkApart = "203.0.113.2";
inline constexpr const char* kMachineApart = "203.0.113.100";  // as slirp4netns gives it to the namespace
inline constexpr const char* kLoopbackApart = "203.0.113.127";
inline constexpr const char* kLoopback = "127.0.0.1";

// One task behind it; or another machine, which has tasks behind the same port.
struct PortMember {
  std::string task_uid;  // kDistant for a machine
  std::string address;   // the container's, or the machine's; of the port's family where the kernel is told
  std::uint16_t port = 0;
  std::string address6 = {};  // the container's, where it has one and `address` is IPv4

  bool operator==(const PortMember&) const = default;
};

// No task's uid looks so.
inline constexpr std::string_view kDistant = "on-another-machine";

// Connections that are led on to another machine carry this bit of the connection's mark: they leave with this
// machine's address, so that the answers come back here, and other firewalls on it let them pass.
inline constexpr std::uint32_t kDistantMark = 0x00400000;

// Who gets connections to a port before and after a change. New connections go round the members, which are all tasks
// here or all machines, with addresses of the port's own family.
struct PortChange {
  PortKey key;
  std::vector<PortMember> before;
  std::vector<PortMember> after;
};

// Connections of a task to itself, by a published port or its service's virtual address: they come back with the
// machine's address, since nobody takes a packet from oneself off a wire.
inline constexpr std::uint32_t kSelfMark = 0x00200000;

// Creates the table or brings its chains to this program's; sets and maps keep what they hold. `resolver_port` 0:
// queries are led nowhere.
std::string table_text(const Table& table, std::uint16_t resolver_port);

// Who may send what arrives by VXLAN with this number: these machines alone; and what they themselves speak from. In
// place of what was there.
struct Peers {
  std::uint32_t number = 0;                  // 0: nothing is said of any
  std::set<std::string> machines;            // IPv4
  std::map<std::string, std::string> hosts;  // IPv4, with the hardware address of the machine's end of the VXLAN

  bool operator==(const Peers&) const = default;
};
std::string set_peers_text(const Table& table, const Peers& peers);

// One transaction, which touches the named ports alone. `before` must be what the table holds.
std::string change_ports_text(const Table& table, const std::vector<PortChange>& changes);

// The ports in a listing of the table, printed with numeric protocols.
std::map<PortKey, std::vector<PortMember>> parse_ports(std::string_view listing);

}  // namespace orchion::node::networks
