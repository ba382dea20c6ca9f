#pragma once

// Which node runs which task, or why none can. Pure: the same input gives the same output.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "v1/objects.pb.h"

namespace orchion::control::scheduler {

// A port of a host as one comparable value. Ports on every address collide with those on any; tasks of one owner share
// theirs, since a node spreads a published port's connections over the tasks behind it.
struct HostPort {
  std::uint32_t port_and_protocol = 0;  // port << 1 | udp
  std::uint64_t address = 0;            // 0: every address; else a hash of its text
  std::uint64_t owner = 0;              // of the service, see owner_of(); 0: shared with nobody

  static HostPort of(const v1::PortMapping& mapping, std::uint64_t owner = 0);
  static std::uint64_t owner_of(const std::string& stack, const std::string& service);
  bool collides(const HostPort& other) const {
    return port_and_protocol == other.port_and_protocol && (owner == 0 || owner != other.owner) &&
           (address == other.address || address == 0 || other.address == 0);
  }
  std::string text() const;  // "8080/tcp"

  bool operator==(const HostPort&) const = default;
};

// One node and what its tasks, ended ones excepted, have reserved.
struct NodeView {
  std::shared_ptr<const v1::Node> node;
  std::int64_t reserved_nano_cpus = 0;
  std::int64_t reserved_memory_bytes = 0;
  std::uint32_t tasks = 0;
  std::vector<HostPort> ports;
};

// A volume's data is on one node; tasks that mount it must run there.
struct VolumeView {
  static constexpr int kAnywhere = -1;  // no task has used it yet: the first one placed decides
  static constexpr int kGone = -2;      // its node was removed
  std::string name;
  int node = kAnywhere;  // an index into the nodes
};

// Which of the nodes that can is the best one.
enum class Strategy : std::uint8_t {
  kService,      // as place() says
  kSpread,       // the one with the fewest tasks of the class, then the one with the fewest tasks
  kLeastLoaded,  // the one of which the smallest share will be reserved, then the one with the fewest tasks
  kBinPack,      // the one of which the largest share is reserved, then the one with the most tasks
  kRoundRobin,   // the next in turn
};

// Tasks that are alike: the replicas of one revision, the tasks of one run.
struct TaskClass {
  std::int64_t nano_cpus = 0;
  std::int64_t memory_bytes = 0;
  std::vector<std::string> constraints;
  std::vector<HostPort> ports;        // those with a fixed host port
  std::vector<std::size_t> volumes;   // indexes into the volumes
  std::string architecture;           // of the image; empty: not known, or of all
  std::string executor;               // empty: a node's default
  std::string oci_runtime;            // empty: the executor's choice
  bool own_users = false;             // a range of users of its own
  std::vector<std::string> image_on;  // names of nodes that have the image, whatever its architecture
  // Tasks of the service that are placed already: index of the node and how many.
  std::vector<std::pair<std::size_t, std::uint32_t>> siblings;
  // Nodes where it could not live: index of the node and how little it is wanted. Others go before them.
  std::vector<std::pair<std::size_t, std::uint32_t>> avoided;
  Strategy strategy = Strategy::kService;
  std::size_t turn = 0;  // of the first task of the class, counted through the nodes; with kRoundRobin
};

struct PlacementInput {
  std::vector<NodeView> nodes;
  std::vector<VolumeView> volumes;
  std::vector<TaskClass> classes;
  std::vector<std::size_t> tasks;  // the class of each task, in the order in which they are placed
  std::uint64_t seed = 0;          // among equals
};

struct Decision {
  static constexpr int kNone = -1;
  int node = kNone;    // an index into the nodes
  std::string reason;  // of kNone: "0 of 3 nodes: 2 lack memory (need 4 GiB, free 1.2), 1 is drained"
};

// Every node is looked at for every task, so the answer is exact: among nodes that can, where no other strategy is
// asked for, the one with the fewest tasks of the same class; then, where the task reserves something, the one it fills
// best, else the one with the fewest tasks. O(tasks × nodes) with a few additions each; tasks of a class that didn't
// fit once are answered at once.
std::vector<Decision> place(const PlacementInput& input);

}  // namespace orchion::control::scheduler
