#pragma once

// What this room's things are called on the machine. Pure. Every name carries a hash of the cluster's short id, so
// that two agents of different clusters on one machine never take each other's for leftovers.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace orchion::node::networks {

class Names {
 public:
  explicit Names(std::string_view cluster_short_id);

  // At most 15 characters, the kernel's limit: "or", four of the cluster, "b", "v" or "x", eight of the object.
  std::string bridge(std::string_view network_uid) const;

  // The network's way to other machines, a port of its bridge.
  std::string tunnel(std::string_view network_uid) const;

  // The host's end of the task's `index`-th link.
  std::string veth(std::string_view task_uid, std::size_t index) const;

  const std::string& bridge_prefix() const { return bridge_prefix_; }
  const std::string& veth_prefix() const { return veth_prefix_; }
  const std::string& tunnel_prefix() const { return tunnel_prefix_; }

  // Links that wait for their removal are in this group: the kernel removes a group in the time of one link.
  std::uint32_t removal_group() const { return removal_group_; }

  // The nftables table, and the comment on rules that had to go into others' tables.
  const std::string& table() const { return table_; }

 private:
  std::string bridge_prefix_;
  std::string veth_prefix_;
  std::string tunnel_prefix_;
  std::uint32_t removal_group_;
  std::string table_;
};

// The most links one task can have: the index is one character of a link's name.
inline constexpr std::size_t kAttachmentsMax = 32;

}  // namespace orchion::node::networks
