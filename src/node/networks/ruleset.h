#pragma once

// Our nftables table as text for libnftables. Pure. The rules never change with the number of networks and tasks:
// those are a common prefix of names, and elements of sets and maps, so that each packet and each change costs the
// same with one task or thousands.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::node::networks {

// What every text here is about.
struct Table {
  std::string name;
  std::string bridge_prefix;  // every link that begins so is one of our bridges
};

// One published port: `host_ip` empty stands for every address of the machine.
struct PortElement {
  std::string host_ip;
  bool udp = false;
  std::uint16_t host_port = 0;
  std::string address;  // the container's
  std::uint16_t container_port = 0;
  std::string task_uid;

  bool operator==(const PortElement&) const = default;
};

// Creates the table or brings its chains to this program's; sets and maps keep what they hold. `resolver_port` 0:
// queries are led nowhere.
std::string table_text(const Table& table, std::uint16_t resolver_port);

// Removing what isn't there is no error, in these two.
std::string add_bridge_text(const Table& table, const std::string& bridge, bool internal);
std::string remove_bridge_text(const Table& table, const std::string& bridge);

// One transaction each. Adding what is there is no error if it is the same; removing needs it to be there.
std::string add_ports_text(const Table& table, const std::vector<PortElement>& ports);
std::string remove_ports_text(const Table& table, const std::vector<PortElement>& ports);

// The ports in a listing of the table, printed with numeric protocols. Elements without a task's name are left out.
std::vector<PortElement> parse_ports(std::string_view listing);

}  // namespace orchion::node::networks
