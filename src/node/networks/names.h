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

  // Begins the name of every link of ours: "or", four of the cluster. With the rest at most 15 characters, the kernel's
  // limit.
  const std::string& prefix() const { return prefix_; }

  // The way to other machines: the prefix and "x".
  const std::string& overlay() const { return overlay_; }

  // The host's end of the task's `index`-th link: the prefix, "v", eight of the task and the index.
  std::string veth(std::string_view task_uid, std::size_t index) const;

  const std::string& veth_prefix() const { return veth_prefix_; }

  // Links that wait for their removal are in this group: the kernel removes a group in the time of one link.
  std::uint32_t removal_group() const { return removal_group_; }

  // Of routes that have no link of ours: whose they are.
  std::uint32_t route_metric() const { return removal_group_; }

  // The nftables table, and the comment on rules that had to go into others' tables.
  const std::string& table() const { return table_; }

 private:
  std::string prefix_;
  std::string overlay_;
  std::string veth_prefix_;
  std::uint32_t removal_group_;
  std::string table_;
};

// The number of a cluster's VXLAN, the same on all its machines: a hash of its id, so that two clusters on one wire
// hardly meet, and far from the small numbers that people choose.
std::uint32_t overlay_number(std::string_view cluster_id);

// The most links one task can have: the index is one character of a link's name.
inline constexpr std::size_t kAttachmentsMax = 32;

}  // namespace orchion::node::networks
