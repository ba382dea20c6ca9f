#pragma once

// Nodes and tasks of a cluster as CSV files, in the columns of the published GPU traces (alibaba/clusterdata,
// cluster-trace-gpu-v2023).

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/scheduler/demand.h"

namespace orchion::bench {

struct PlacementTrace {
  std::vector<control::scheduler::Capacity> nodes;
  std::vector<control::scheduler::Demand> classes;  // tasks that want the same are of one
  std::vector<std::uint32_t> tasks;                 // the class of each
  std::uint64_t gpus = 0;                           // of all nodes
};

// Reads the files' texts; their names are for messages. Columns beside those it needs don't matter, nor their order.
// kInvalidArgument names the file and the line.
base::Result<PlacementTrace> read_trace(std::string_view nodes, const std::string& nodes_name, std::string_view tasks,
                                        const std::string& tasks_name);

}  // namespace orchion::bench
