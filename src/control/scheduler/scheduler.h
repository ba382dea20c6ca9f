#pragma once

// Which node runs which task, or why none can. Pure: the same input gives the same output.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/scheduler/demand.h"
#include "control/scheduler/filter.h"
#include "control/scheduler/host_port.h"
#include "v1/objects.pb.h"

namespace orchion::control::scheduler {

// What a task has of one GPU.
struct GpuUse {
  std::string id;                 // Gpu.id
  std::uint32_t share_milli = 0;  // kWholeGpu: all of it
  std::int64_t memory_bytes = 0;  // 0: not counted

  bool operator==(const GpuUse&) const = default;
};

// One node and what its tasks, ended ones excepted, have reserved.
struct NodeView {
  std::shared_ptr<const v1::Node> node;
  std::int64_t reserved_nano_cpus = 0;
  std::int64_t reserved_memory_bytes = 0;
  std::uint32_t tasks = 0;
  std::vector<HostPort> ports;
  std::int64_t reserved_disk_bytes = 0;
  std::vector<GpuUse> gpus;
};

// A volume's data is on one node; tasks that mount it must run there.
struct VolumeView {
  static constexpr int kAnywhere = -1;  // no task has used it yet: the first one placed decides
  static constexpr int kGone = -2;      // its node was removed
  std::string name;
  int node = kAnywhere;  // an index into the nodes
};

// Tasks that are counted together: those of one service, or of one run.
struct TaskGroup {
  std::string name;  // for messages
  // Those that are placed already: index of the node and how many.
  std::vector<std::pair<std::size_t, std::uint32_t>> placed;
};

// Near the tasks of a group, or away from them.
struct Affinity {
  std::size_t group = 0;
  std::string domain;  // "node.labels.zone"; empty: the node itself
  bool away = false;
  bool preferred = false;  // goes before other good places; else no other place will do
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
  std::size_t group = 0;              // an index into the groups
  // Nodes where it could not live: index of the node and how little it is wanted. Others go before them.
  std::vector<std::pair<std::size_t, std::uint32_t>> avoided;
  Strategy strategy = Strategy::kService;
  std::size_t turn = 0;  // of the first task of the class, counted through the nodes; with kRoundRobin
  std::int64_t disk_bytes = 0;
  v1::GpuRequest gpus;
  std::vector<std::string> spread_over;  // "node.labels.zone", at most kSpreadMax: as evenly as can be over its values
  std::vector<Affinity> affinities;
  google::protobuf::RepeatedPtrField<v1::Toleration> tolerations;
  std::uint32_t tasks_per_node_max = 0;  // of its group; 0: any number
  bool together = false;                 // all tasks of the class in one call find a place, or none does
};

struct PlacementInput {
  std::vector<NodeView> nodes;
  std::vector<VolumeView> volumes;
  std::vector<TaskGroup> groups;
  std::vector<TaskClass> classes;
  std::vector<std::size_t> tasks;  // the class of each task, in the order in which they are placed
  std::uint64_t seed = 0;          // among equals
};

struct Decision {
  static constexpr int kNone = -1;
  int node = kNone;    // an index into the nodes
  std::string reason;  // of kNone: "0 of 3 nodes: 2 lack memory (need 4 GiB, free 1.2), 1 is drained"
  std::vector<GpuUse> gpus = {};
};

// By a PlacementEngine made for the call: among nodes that can, where no other strategy is asked for, the one with the
// fewest tasks of the same group; then, where the task reserves something, the one it fills best, else the one with the
// fewest tasks. Tasks of a class that didn't fit once are answered at once.
std::vector<Decision> place(const PlacementInput& input);

}  // namespace orchion::control::scheduler
