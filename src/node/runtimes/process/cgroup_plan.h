#pragma once

// The cgroups of one program and what has to be written to set its limits, in v1, v2 and hybrid. The shim does it.

#include <string>
#include <vector>

#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::process {

// What of this machine's cgroups a plan needs.
struct CgroupTree {
  bundle::CgroupLayout layout;
  std::vector<std::string> unified_controllers;  // v2: those the root can hand on
  std::string cpus;                              // v1: all processors and memory nodes, as the cpuset's root has them
  std::string memory_nodes;
};

// Blocks.
base::Result<CgroupTree> read_cgroup_tree(const bundle::CgroupLayout& layout);

// Done in this order. A write is "PATH VALUE"; with a '-' before it it may fail.
struct CgroupPlan {
  std::vector<std::string> parents;
  std::vector<std::string> parent_writes;
  std::vector<std::string> groups;  // the program is in all of these
  std::vector<std::string> writes;
};

// `group` is "/PARENT/NAME". kInvalidArgument where this machine has no such limit. Pure.
base::Result<CgroupPlan> plan_cgroups(const CgroupTree& tree, const std::string& group, const ResourceLimits& limits);

}  // namespace orchion::node::runtimes::process
