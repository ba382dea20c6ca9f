#pragma once

// Our nftables table as text for libnftables. Pure. The rules never change with the number of networks and tasks:
// those are a common prefix of names, and elements of sets and maps, so that each packet and each change costs the
// same with one task or thousands. A published port is an element that leads to a small chain of its own, whose one
// rule goes round the port's tasks.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::node::networks {

// VXLAN's, RFC 7348.
inline constexpr std::uint16_t kTunnelPort = 4789;

// What every text here is about.
struct Table {
  std::string name;
  std::string bridge_prefix;  // every link that begins so is one of our bridges
  bool apart = false;         // in a namespace apart from the machine's: see kRangeApart
};

// A port of this machine that is published: `host_ip` empty stands for every address.
struct PortKey {
  std::string host_ip;
  bool udp = false;
  std::uint16_t port = 0;

  auto operator<=>(const PortKey&) const = default;
};

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
  std::string address;   // the container's, or the machine's
  std::uint16_t port = 0;

  bool operator==(const PortMember&) const = default;
};

// No task's uid looks so.
inline constexpr std::string_view kDistant = "on-another-machine";

// Connections that are led on to another machine carry this bit of the connection's mark: they leave with this
// machine's address, so that the answers come back here, and other firewalls on it let them pass.
inline constexpr std::uint32_t kDistantMark = 0x00400000;

// Who gets connections to a port before and after a change. New connections go round the members, which are all tasks
// here or all machines.
struct PortChange {
  PortKey key;
  std::vector<PortMember> before;
  std::vector<PortMember> after;
};

// Creates the table or brings its chains to this program's; sets and maps keep what they hold. `resolver_port` 0:
// queries are led nowhere.
std::string table_text(const Table& table, std::uint16_t resolver_port);

// Removing what isn't there is no error, in these two.
std::string add_bridge_text(const Table& table, const std::string& bridge, bool internal);
std::string remove_bridge_text(const Table& table, const std::string& bridge);

// Who may send what arrives by VXLAN: for these numbers, these machines alone. In place of what was there.
struct Tunnels {
  std::set<std::uint32_t> vnis;
  std::set<std::string> peers;  // IPv4

  bool operator==(const Tunnels&) const = default;
};
std::string set_tunnels_text(const Table& table, const Tunnels& tunnels);

// One transaction, which touches the named ports alone. `before` must be what the table holds.
std::string change_ports_text(const Table& table, const std::vector<PortChange>& changes);

// A container reaches itself by a port it publishes.
std::string add_self_text(const Table& table, const std::string& address);
std::string remove_self_text(const Table& table, const std::string& address);  // needs it to be there

// The ports in a listing of the table, printed with numeric protocols.
std::map<PortKey, std::vector<PortMember>> parse_ports(std::string_view listing);

}  // namespace orchion::node::networks
