#pragma once

// Which published ports one node leads to the others.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// One that is published on a single address, or for the host only, is that machine's own affair.
bool is_for_all_nodes(const v1::PortMapping& port);

// Kept up task by task, so that a change costs what it concerns and not what the cluster holds. No I/O.
class DistantPortTable {
 public:
  explicit DistantPortTable(std::string node_uid) : node_uid_(std::move(node_uid)) {}

  void clear() { ports_.clear(); }
  bool empty() const { return ports_.empty(); }

  // A task as it is now; `reachable`: it may answer. Whether that changes anything.
  bool put(const v1::Task& task, bool reachable);

  // Sorted; of owners that publish the same port the first. Only nodes that the others can reach.
  v1::DistantPorts list(const store::View& view) const;

 private:
  using Port = std::tuple<std::uint32_t, bool>;  // number, udp

  bool erase(const Port& key, const std::string& owner, const std::string& task_uid);

  const std::string node_uid_;
  // By port and owner: the tasks and their nodes' uids.
  std::map<Port, std::map<std::string, std::map<std::string, std::string>>> ports_;
};

}  // namespace orchion::control::services
