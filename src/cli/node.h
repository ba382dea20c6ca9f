#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/context.h"
#include "v1/objects.pb.h"

namespace orchion::cli {

// "gpu=a100:no-tasks, old:prefer-others"; "1 CPUs, 2 GiB". Empty: none.
std::string taints_text(const v1::Node& node);
std::string reserved_text(const v1::Node& node);

// "KEY[=VALUE]:EFFECT", "KEY-" or "KEY:EFFECT-" each; and "KEY=VALUE" or "KEY-".
int run_node_taint(Context& context, const std::string& node, const std::vector<std::string>& taints);
int run_node_label(Context& context, const std::string& node, const std::vector<std::string>& labels);

// Amounts as people write them; empty: as it is.
struct ReserveOptions {
  std::string node;
  std::string cpus;
  std::string memory;
  std::string disk;
};
int run_node_reserve(Context& context, const std::string& node, const ReserveOptions& options);

struct RebalanceOptions {
  bool dry_run = false;
  std::uint32_t moves_max = 10;
  bool detach = false;          // don't wait until all are moved
  std::string timeout = "30m";  // of that wait
};
int run_node_rebalance(Context& context, const RebalanceOptions& options);

}  // namespace orchion::cli
